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

/**
 * What the trampoline does that is no single call: reset all dispositions; be pid 1; watch the container from the stage;
 * make sure that the stage lives; end the orphans of a container without a pid namespace.
 */
export type Loop = "reset_signals" | "reap" | "watch" | "guard" | "sweep";

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
const LOOPS: Record<Loop, number> = { reset_signals: -1, reap: -2, watch: -3, guard: -4, sweep: -5 };
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

const TWO_32 = 0x1_0000_0000;

/**
 * Memory behind the steps, grown as it is written; what stores something returns its absolute address. Written for a cold
 * start, where every call counts and BigInt costs a microsecond: zeros are there already, most other words are small.
 */
class Memory {
  data: Buffer;
  #ints: Int32Array;
  constructor(
    readonly base: number,
    public used: number,
  ) {
    this.data = Buffer.from(new ArrayBuffer(Math.max(16384, used * 2)));
    this.#ints = new Int32Array(this.data.buffer);
  }
  #room(length: number): number {
    const at = this.used;
    this.used = (at + length + 7) & ~7;
    if (this.used > this.data.length) {
      const larger = Buffer.from(new ArrayBuffer(this.used * 2));
      larger.set(this.data);
      this.data = larger;
      this.#ints = new Int32Array(larger.buffer);
    }
    return at;
  }
  /** One 64-bit word at a multiple of 8. */
  word(at: number, value: number | bigint): void {
    if (value === 0) return;
    const index = at >> 2;
    if (typeof value === "bigint") {
      this.#ints[index] = Number(BigInt.asIntN(32, value));
      this.#ints[index + 1] = Number(BigInt.asIntN(32, value >> 32n));
      return;
    }
    this.#ints[index] = value | 0;
    if (value < 0 || value > 0x7fffffff) this.#ints[index + 1] = Math.floor(value / TWO_32) | 0;
  }
  bytes(bytes: Uint8Array): number {
    const at = this.#room(bytes.length);
    this.data.set(bytes, at);
    return this.base + at;
  }
  string(text: string): number {
    if (text.includes("\0")) throw new RangeError("a C string cannot hold NUL");
    const at = this.#room(text.length * 3 + 1);
    this.used = (at + this.data.write(text, at) + 8) & ~7; // what is beyond is still zero
    return this.base + at;
  }
  words(words: Words["words"], slot: Binding["slot"]): number {
    const values: (number | bigint)[] = [];
    for (const word of words) {
      if (typeof word === "string") values.push(this.string(word));
      else values.push(typeof word === "object" ? slot(word.slot) : word);
    }
    const at = this.#room(values.length * 8);
    for (let i = 0; i < values.length; i++) this.word(at + i * 8, values[i]!);
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

/** The data segment for `steps`. Throws TypeError for a step that no child can make. */
export function encode(steps: readonly RawStep[], binding: Binding): Uint8Array {
  const marks = new Map<string, number>();
  for (let i = 0; i < steps.length; i++) if (steps[i]!.mark) marks.set(steps[i]!.mark!, i);
  const memory = new Memory(binding.address, HEADER + STEP * steps.length);
  const arch = binding.arch ?? ARCH;
  for (let i = 0; i < steps.length; i++) {
    const step = steps[i]!;
    const at = HEADER + STEP * i;
    const number = LOOPS[step.call as Loop] ?? syscallNumber(step.call as SyscallName, arch);
    memory.word(at, number);
    let flags = (step.store ? STORE : 0) | (step.soft ? SOFT : 0) | (step.exact ? EXACT : 0);
    for (let k = 0; k < step.args.length; k++) {
      const arg = step.args[k];
      if (typeof arg === "number") memory.word(at + 8 + k * 8, arg);
      else if (typeof arg === "object" && arg !== null && "reg" in arg) flags |= 1 << k;
      else memory.word(at + 8 + k * 8, argument(memory, arg, binding.slot));
    }
    const target = step.jump === undefined ? 0 : marks.get(step.jump);
    if (target === undefined) throw new TypeError(`no step is marked ${step.jump}`);
    memory.word(at + 56, flags);
    memory.word(at + 64, step.tolerate ?? 0);
    memory.word(at + 72, target);
  }
  const size = memory.used;
  memory.word(8, RECORD_PID);
  memory.word(0, binding.socket);
  memory.word(24, size);
  return new Uint8Array(memory.data.buffer, 0, size);
}
