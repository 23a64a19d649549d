/** The child's steps as the bytes that trampoline.c reads: struct plan, then struct step each, then the memory they point to. */
import { ARCH, type Arch, type SyscallName, syscallNumber } from "./abi.ts";
import { type Hole, Segment } from "./segment.ts";
import { byteLength } from "./text.ts";

/** A descriptor (or pid) that is known by name until the program is encoded. */
export interface Slot {
  readonly slot: string;
}
/** The trampoline's one register: the result of the last step that stored one. */
export interface Register {
  readonly reg: true;
}
/** Memory made of 64-bit words: numbers, slots, pointers to strings and other memory. `text` shows it as strace would. */
export interface Words {
  readonly words: readonly (number | bigint | string | Slot | Words | Bytes)[];
  readonly text: string;
}
/** Memory given as it is. */
export interface Bytes {
  readonly bytes: Uint8Array;
  readonly text: string;
}
export type RawArg = number | string | null | Slot | Register | Words | Bytes;

/**
 * What the trampoline does that is no single call: reset all dispositions; be pid 1; watch the container from the stage;
 * make sure that the stage lives; end the orphans of a container without a pid namespace; give the caller's terminal its
 * former mode back; make sure that the working directory is below the root; leave a bounding set of capabilities;
 * read back what a file of /proc says, that the working directory is the root, and that no descriptor outlives the exec; make
 * sure that a file is on one of some mounts.
 */
export type Loop =
  | "reset_signals"
  | "reap"
  | "watch"
  | "guard"
  | "sweep"
  | "restore_terminal"
  | "rooted"
  | "bound_capabilities"
  | "says"
  | "at_root"
  | "descriptors"
  | "on_mounts";

/** One raw system call of a child. */
export interface RawStep {
  readonly call: SyscallName | Loop;
  readonly args: readonly RawArg[];
  /** The result becomes the register. */
  readonly store?: true;
  /** An errno (positive) that counts as success. */
  readonly tolerate?: number;
  /** A failure is reported and passed over: one of several places to look for a command. */
  readonly soft?: true;
  /** The result must equal the third argument: a whole read or write. */
  readonly exact?: true;
  /** The result is reported, whatever it is, and the list goes on: how {@link observe} hears what the kernel answered. */
  readonly tell?: true;
  /** For a clone: the `mark` at which the parent side goes on. */
  readonly jump?: string;
  /** A name for `jump`. */
  readonly mark?: string;
}

const HEADER = 32; // sock, rec[4], size
const STEP = 80; // nr, a[6], flags, tolerate, jump
const LOOPS: Record<Loop, number> = {
  reset_signals: -1,
  reap: -2,
  watch: -3,
  guard: -4,
  sweep: -5,
  restore_terminal: -6,
  rooted: -7,
  bound_capabilities: -8,
  says: -9,
  at_root: -10,
  on_mounts: -11,
  descriptors: -12,
};
/** The record that the stage sends when clone has put the pid into it. */
const RECORD_PID = 1;
/** Where the record and its pid lie, from the start of the segment. */
export const RECORD_AT = 8;
const STORE = 64;
const SOFT = 128;
const EXACT = 256;
const TELL = 512;

/** What the plan cannot know: where it will lie, the socket's number, the numbers behind its slots. */
export interface Binding {
  readonly address: number;
  readonly socket: number;
  readonly slot: (name: string) => number;
  readonly arch?: Arch;
}

/** An encoded program with its slots still open: the same plan is encoded once and linked for each start. */
export interface Program {
  readonly data: Uint8Array<ArrayBuffer>;
  /** The slots, and the offsets of the words where their numbers belong: what a linker calls relocations. */
  readonly holes: readonly Hole[];
}

/** The slot of the header's first word. */
export const SOCKET_SLOT = "sock";

const inAscii = (text: string): number => text.length;

/** The data segment for `steps`, to lie at `address`. Throws TypeError for a step that no child can make. */
export function assemble(steps: readonly RawStep[], address: number, arch: Arch = ARCH, lengthOf = inAscii): Program {
  const marks = new Map<string, number>();
  for (let i = 0; i < steps.length; i++) if (steps[i]!.mark) marks.set(steps[i]!.mark!, i);
  const memory = new Segment(address, HEADER + STEP * steps.length, lengthOf);
  for (let i = 0; i < steps.length; i++) {
    const step = steps[i]!;
    const at = HEADER + STEP * i;
    const number = LOOPS[step.call as Loop] ?? syscallNumber(step.call as SyscallName, arch);
    memory.ints[at >> 2] = number;
    if (number < 0) memory.ints[(at >> 2) + 1] = -1;
    let flags = (step.store ? STORE : 0) | (step.soft ? SOFT : 0) | (step.exact ? EXACT : 0) | (step.tell ? TELL : 0);
    for (let k = 0; k < step.args.length; k++) {
      const arg = step.args[k]!;
      const place = at + 8 + k * 8;
      if (typeof arg === "number") {
        // written here, as most are: a call for each would be hot enough to be compiled while we start
        if (arg >= 0 && arg <= 0x7fffffff) memory.ints[place >> 2] = arg;
        else memory.word(place, arg);
      } else if (typeof arg === "object" && arg !== null && "reg" in arg) flags |= 1 << k;
      else memory.place(place, arg);
    }
    if (flags !== 0) memory.ints[(at + 56) >> 2] = flags;
    if (step.tolerate !== undefined) memory.ints[(at + 64) >> 2] = step.tolerate;
    if (step.jump === undefined) continue;
    const target = marks.get(step.jump);
    if (target === undefined) throw new TypeError(`no step is marked ${step.jump}`);
    memory.ints[(at + 72) >> 2] = target;
  }
  if (!memory.finish()) return assemble(steps, address, arch, byteLength);
  const size = memory.used;
  memory.word(8, RECORD_PID);
  memory.word(24, size);
  memory.hole(0, SOCKET_SLOT);
  return { data: memory.data.subarray(0, size), holes: memory.holes() };
}

/** Fills the holes of a program that begins at `offset` of `image`. Numbers of descriptors and addresses, below 2^31. */
export function link(image: Uint8Array<ArrayBuffer>, offset: number, { holes }: Program, slot: Binding["slot"]): void {
  const ints = new Int32Array(image.buffer, image.byteOffset + offset);
  for (const hole of holes) {
    const number = slot(hole.slot);
    for (const at of hole.at) ints[at >> 2] = number;
  }
}

/** {@link assemble} and {@link link} in one, for a program that is used once. */
export function encode(steps: readonly RawStep[], binding: Binding): Uint8Array {
  const program = assemble(steps, binding.address, binding.arch);
  link(program.data, 0, program, (name) => (name === SOCKET_SLOT ? binding.socket : binding.slot(name)));
  return program.data;
}
