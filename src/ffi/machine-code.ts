/** The trampoline as compiled by `scripts/build.ts`, which replaces this module. From source there is nothing: cc runs at start. */

export interface MachineCode {
  /** base64 of the bytes between nsi_begin and nsi_end. */
  readonly code: string;
  /** Where nsi_sys and nsi_vexec begin in it. */
  readonly sys: number;
  readonly vexec: number;
}

export const machineCode: MachineCode | undefined = undefined;
