/** The child's steps as the bytes that trampoline.c reads: struct plan, then struct step each, then the memory they point to. */
import { ARCH, type Arch, type SyscallName, syscallNumber } from "./abi.ts";

/** A descriptor (or pid) that is known by name until the program is encoded. */
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
export type RawArg = number | string | null | Slot | Register | Words | Bytes;

/** The trampoline's loops: reset all dispositions; be pid 1; watch the container from the stage. */
export type Loop = "reset_signals" | "reap" | "watch";

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
  /** For a clone: the `mark` at which the parent side goes on. */
  readonly jump?: string;
  /** A name for `jump`. */
  readonly mark?: string;
}

const HEADER = 32; // sock, rec[4], size
const STEP = 80; // nr, a[6], flags, tolerate, jump
const LOOPS: Record<Loop, number> = { reset_signals: -1, reap: -2, watch: -3 };
/** The record that the stage sends when clone has put the pid into it. */
const RECORD_PID = 1;
/** Where the record and its pid lie, from the start of the segment. */
export const RECORD_AT = 8;
const STORE = 64;
const SOFT = 128;
const EXACT = 256;

/** What the plan cannot know: where it will lie, the socket's number, the numbers behind its slots. */
export interface Binding {
  readonly address: number;
  readonly socket: number;
  readonly slot: (name: string) => number;
  readonly arch?: Arch;
}

/** Memory behind the steps, grown as it is written; `put*` return absolute addresses. */
class Memory {
  data: Uint8Array;
  view: DataView;
  constructor(
    readonly base: number,
    public used: number,
  ) {
    this.data = new Uint8Array(new ArrayBuffer(Math.max(16384, used * 2)));
    this.view = new DataView(this.data.buffer);
  }
  #room(length: number): number {
    const at = this.used;
    this.used = (at + length + 7) & ~7;
    if (this.used > this.data.length) {
      const larger = new Uint8Array(new ArrayBuffer(this.used * 2));
      larger.set(this.data);
      this.data = larger;
      this.view = new DataView(larger.buffer);
    }
    return at;
  }
  bytes(bytes: Uint8Array): number {
    const at = this.#room(bytes.length);
    this.data.set(bytes, at);
    return this.base + at;
  }
  string(text: string): number {
    if (text.includes("\0")) throw new RangeError("a C string cannot hold NUL");
    return this.bytes(Buffer.from(`${text}\0`));
  }
  words(words: Words["words"], slot: Binding["slot"]): number {
    const values = words.map((word) => {
      if (typeof word === "string") return this.string(word);
      return typeof word === "object" ? slot(word.slot) : word;
    });
    const at = this.#room(values.length * 8);
    for (const [i, value] of values.entries()) this.view.setBigInt64(at + i * 8, BigInt.asIntN(64, BigInt(value)), true);
    return this.base + at;
  }
}

function argument(memory: Memory, arg: RawArg | undefined, slot: Binding["slot"]): number {
  if (typeof arg === "number") return arg;
  if (typeof arg === "string") return memory.string(arg);
  if (arg === null || arg === undefined || "reg" in arg) return 0;
  if ("slot" in arg) return slot(arg.slot);
  if ("words" in arg) return memory.words(arg.words, slot);
  return memory.bytes(arg.bytes);
}

function flags(step: RawStep): number {
  let bits = (step.store ? STORE : 0) | (step.soft ? SOFT : 0) | (step.exact ? EXACT : 0);
  for (const [i, arg] of step.args.entries()) if (typeof arg === "object" && arg !== null && "reg" in arg) bits |= 1 << i;
  return bits;
}

/** The data segment for `steps`. Throws TypeError for a step that no child can make. */
export function encode(steps: readonly RawStep[], binding: Binding): Uint8Array {
  const marks = new Map(steps.flatMap((step, i) => (step.mark ? [[step.mark, i] as const] : [])));
  const memory = new Memory(binding.address, HEADER + STEP * steps.length);
  const arch = binding.arch ?? ARCH;
  for (const [i, step] of steps.entries()) {
    const args = step.args.map((arg) => argument(memory, arg, binding.slot));
    const { view } = memory; // after the arguments: they may have moved it
    const at = HEADER + STEP * i;
    const put = (word: number, value: number) => view.setBigInt64(at + word * 8, BigInt(value), true);
    put(0, step.call in LOOPS ? LOOPS[step.call as Loop] : syscallNumber(step.call as Exclude<typeof step.call, Loop>, arch));
    for (const [k, value] of args.entries()) put(1 + k, value);
    put(7, flags(step));
    put(8, step.tolerate ?? 0);
    const target = step.jump === undefined ? 0 : marks.get(step.jump);
    if (target === undefined) throw new TypeError(`no step is marked ${step.jump}`);
    put(9, target);
  }
  const size = memory.used;
  memory.view.setInt32(8, RECORD_PID, true);
  memory.view.setBigInt64(0, BigInt(binding.socket), true);
  memory.view.setBigInt64(24, BigInt(size), true);
  return memory.data.subarray(0, size);
}
