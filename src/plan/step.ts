/**
 * The vocabulary of a plan. A step is one raw system call (or one of three loops of the trampoline) with its reason;
 * a plan is data: it can be run, printed, compared. Nothing here touches the kernel.
 */

import type { SyscallName } from "../ffi/abi.ts";
import type { NetVerb } from "../net/verb.ts";

/** Who makes the call: Bun; the first process of the sealed ELF; the container's pid 1; the command before its exec. */
export type Lane = "parent" | "stage" | "container" | "payload";

/** A descriptor (or pid) that is known by name until the plan runs. */
export interface Slot {
  readonly slot: string;
}
/** The trampoline's one register: the result of the last step that stored one. */
export interface Register {
  readonly reg: true;
}
/** Memory made of 64-bit words: numbers, slots, strings (as pointers). `text` shows it as strace would. */
export interface Words {
  readonly words: readonly (number | bigint | string | Slot)[];
  readonly text: string;
}
/** Memory given as it is. */
export interface Bytes {
  readonly bytes: Uint8Array;
  readonly text: string;
}
/** A path with a pid in it. Parent lane only. */
export interface Template {
  readonly template: readonly (string | Slot)[];
}
export type Arg = number | string | null | Slot | Register | Words | Bytes | Template;

/** The trampoline's loops: reset all dispositions; be pid 1; watch the container from the stage. */
export type Loop = "reset_signals" | "reap" | "watch";

export interface SyscallStep {
  readonly lane: Lane;
  /** What is done, in words: "mount proc on /proc". */
  readonly label: string;
  readonly call: SyscallName | Loop;
  readonly args: readonly Arg[];
  /** The kernel's reason for this step at this place. */
  readonly why?: string;
  /** Parent lane: the slot that receives the result. Other lanes: `true` stores it in the register. */
  readonly store?: string | true;
  /** An errno (positive) that counts as success. */
  readonly tolerate?: number;
  /** A failure is reported and passed over: one of several places to look for a command. */
  readonly soft?: true;
  /** The result must equal the third argument: a whole read or write. */
  readonly exact?: true;
  /** For a clone: the `mark` at which the parent side goes on. */
  readonly jump?: string;
  /** A name for `jump`. */
  readonly mark?: string;
}

/** An rtnetlink request of the parent, on the host's side or in the container's network namespace. */
export interface NetStep {
  readonly lane: "parent";
  readonly label: string;
  readonly side: "host" | "container";
  readonly verb: NetVerb | ((slot: (name: string) => number) => NetVerb);
  readonly why?: string;
}

export type Step = SyscallStep | NetStep;

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

/** argv and envp: a null-terminated array of pointers. */
export const strings = (list: readonly string[], text?: string): Words => ({
  words: [...list, 0],
  text: text ?? `[${list.map((s) => JSON.stringify(s)).join(", ")}]`,
});
