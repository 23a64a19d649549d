/** The child's steps as the bytes that trampoline.c reads: struct plan, then struct step each, then the memory they point to. */
import { ARCH, type Arch, type SyscallName, syscallNumber } from "./abi.ts";
import { byteLength, writeText } from "./text.ts";
import { set64 } from "./words.ts";

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

export interface Hole {
  readonly slot: string;
  readonly at: readonly number[];
}

/** An encoded program with its slots still open: the same plan is encoded once and linked for each start. */
export interface Program {
  readonly data: Uint8Array<ArrayBuffer>;
  /** The slots, and the offsets of the words where their numbers belong: what a linker calls relocations. */
  readonly holes: readonly Hole[];
}

/** The slot of the header's first word. */
export const SOCKET_SLOT = "sock";

type Placed = Exclude<RawArg, Register> | bigint;

/**
 * Memory behind the steps, grown as it is written; the strings lie behind all else, each once it is known where that ends. Written
 * for a cold start, where every call counts: zeros are there already, most words are small, and all strings are encoded by one call.
 */
class Memory {
  data: Uint8Array<ArrayBuffer>;
  readonly #holes = new Map<string, number[]>();
  ints: Int32Array;
  readonly #texts: string[] = [];
  /** Where their addresses stand, as yet counted from the first string. */
  readonly #pointers: number[] = [];
  #textLength = 0;
  /** Lists that several steps point to, as each execve(2) does to argv and envp. */
  readonly #lists = new Map<Words, number>();
  constructor(
    readonly base: number,
    public used: number,
    /** How many bytes a string takes; its length will do as long as all are ASCII. */
    readonly lengthOf: (text: string) => number,
  ) {
    this.data = new Uint8Array(new ArrayBuffer(used > 8192 ? used * 2 : 16384));
    this.ints = new Int32Array(this.data.buffer);
  }
  #room(length: number): number {
    const at = this.used;
    this.used = (at + length + 7) & ~7;
    if (this.used > this.data.length) {
      const larger = new Uint8Array(new ArrayBuffer(this.used * 2));
      larger.set(this.data);
      this.data = larger;
      this.ints = new Int32Array(larger.buffer);
    }
    return at;
  }
  /** One 64-bit word at a multiple of 8. */
  word(at: number, value: number | bigint): void {
    if (value === 0) return;
    const index = at >> 2;
    if (typeof value === "bigint") {
      this.ints[index] = Number(BigInt.asIntN(32, value));
      this.ints[index + 1] = Number(BigInt.asIntN(32, value >> 32n));
      return;
    }
    if (value < 0 || value > 0x7fffffff) set64(this.ints, index, value);
    else this.ints[index] = value;
  }
  /** The word at `at`: a number, or the address of what is written elsewhere; a slot leaves a hole. */
  place(at: number, value: Placed): void {
    if (typeof value === "number" || typeof value === "bigint") this.word(at, value);
    else if (typeof value === "string") this.#string(at, value);
    else if (value === null) return;
    else if ("slot" in value) this.hole(at, value.slot);
    else this.word(at, this.base + ("words" in value ? this.#list(value) : this.#bytes(value.bytes)));
  }
  hole(at: number, slot: string): void {
    const known = this.#holes.get(slot);
    if (known) known.push(at);
    else this.#holes.set(slot, [at]);
  }
  holes(): Hole[] {
    const out: Hole[] = [];
    for (const [slot, at] of this.#holes) out.push({ slot, at });
    return out;
  }
  #bytes(bytes: Uint8Array): number {
    const at = this.#room(bytes.length);
    this.data.set(bytes, at);
    return at;
  }
  #list(list: Words): number {
    const known = this.#lists.get(list);
    if (known !== undefined) return known;
    const { words } = list;
    const at = this.#room(words.length * 8);
    for (let i = 0; i < words.length; i++) this.place(at + i * 8, words[i]!);
    this.#lists.set(list, at);
    return at;
  }
  #string(at: number, text: string): void {
    this.#texts.push(text);
    this.#pointers.push(at);
    this.ints[at >> 2] = this.#textLength;
    this.#textLength += this.lengthOf(text) + 1;
  }
  /** Writes the strings. False where `lengthOf` was wrong about one. Throws RangeError for one that holds NUL. */
  finish(): boolean {
    if (this.#texts.length === 0) return true;
    const text = `${this.#texts.join("\0")}\0`;
    if (text.split("\0").length > this.#texts.length + 1) throw new RangeError("a C string cannot hold NUL");
    const at = this.#room(text.length * 3);
    this.used = (at + this.#textLength + 7) & ~7;
    for (const pointer of this.#pointers) this.ints[pointer >> 2]! += this.base + at;
    return writeText(this.data.subarray(at), text) === this.#textLength;
  }
}

const inAscii = (text: string): number => text.length;

/** The data segment for `steps`, to lie at `address`. Throws TypeError for a step that no child can make. */
export function assemble(steps: readonly RawStep[], address: number, arch: Arch = ARCH, lengthOf = inAscii): Program {
  const marks = new Map<string, number>();
  for (let i = 0; i < steps.length; i++) if (steps[i]!.mark) marks.set(steps[i]!.mark!, i);
  const memory = new Memory(address, HEADER + STEP * steps.length, lengthOf);
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
