/**
 * The vocabulary of a plan. A step is one raw system call (or one of three loops of the trampoline) with its reason;
 * a plan is data: it can be run, printed, compared. Nothing here touches the kernel.
 */

import type { RawArg, RawStep, Register, Slot, Words } from "../ffi/program.ts";
import type { NetVerb } from "../net/verb.ts";

export type { Loop, Register, Slot, Words } from "../ffi/program.ts";

/**
 * Who makes the call: Bun; the first process of the sealed ELF; the process that becomes pasta; the container's pid 1; the
 * command before its exec.
 */
export type Lane = "parent" | "stage" | "uplink" | "container" | "payload";

/** A path with a pid in it. Parent lane only. */
export interface Template {
  readonly template: readonly (string | Slot)[];
}
export type Arg = RawArg | Template;

export interface SyscallStep extends Omit<RawStep, "args" | "store"> {
  readonly lane: Lane;
  /** What is done, in words: "mount proc on /proc". */
  readonly label: string;
  readonly args: readonly Arg[];
  /** The kernel's reason for this step at this place. */
  readonly why?: string;
  /**
   * Parent lane: the slot that receives the result, or the two for the descriptors that pipe2(2) or socketpair(2) write
   * into memory. Other lanes: `true` stores it in the register.
   */
  readonly store?: string | true | readonly [string, string];
  /** Of an observer (--timings, --step), not of the container: it has no number. */
  readonly observing?: true;
}

/** An rtnetlink request of the parent, on the host's side or in the container's network namespace. */
export interface NetStep {
  readonly lane: "parent";
  readonly label: string;
  readonly side: "host" | "container";
  readonly verb: NetVerb;
  /** A new pair's far end is made in the namespace that this slot holds. */
  readonly peerIn?: string;
  readonly why?: string;
}

/** What the parent goes on doing beside the container: it hears that the uplink is ready, asks it for ports, says so. */
export interface RelayStep {
  readonly lane: "parent";
  readonly label: string;
  readonly relay: {
    readonly heard: string;
    readonly wake: string;
    readonly socket: string;
    readonly requests: readonly string[];
  };
  readonly why?: string;
}

/** Programs that the parent starts together and then waits for: setuid helpers, without environment. All must exit with 0. */
export interface ProgramStep {
  readonly lane: "parent";
  readonly label: string;
  /** Absolute path, then the arguments. */
  readonly programs: readonly (readonly [string, ...(string | Slot)[]])[];
  readonly why?: string;
}

export type Step = SyscallStep | NetStep | ProgramStep | RelayStep;

/** What the parent does between the parts of a plan, the same for every plan: src/container/start.ts. */
export interface FixedStep {
  readonly lane: "parent";
  readonly label: string;
  readonly why: string;
  readonly fixed: "start" | "go";
  /** The calls as strace prints them, the telling ones last. */
  readonly calls: readonly string[];
}

/** A plan in three parts, each in the order in which it runs. */
export interface Plan {
  /** Parent, before anything is started. */
  readonly prepare: readonly SyscallStep[];
  /** Stage, container and payload: the list inside the sealed ELF. */
  readonly child: readonly SyscallStep[];
  /** Parent, when the container's pid is known and before "go". */
  readonly between: readonly Step[];
  /** Whether the child waits for "go" at all. */
  readonly waits: boolean;
}

export const slot = (name: string): Slot => ({ slot: name });
export const REG: Register = { reg: true };

/** argv and envp: a null-terminated array of pointers. The text is made when somebody looks. */
export const strings = (list: readonly string[], text?: string): Words => ({
  words: [...list, 0],
  get text() {
    return text ?? `[${list.map((s) => JSON.stringify(s)).join(", ")}]`;
  },
});
