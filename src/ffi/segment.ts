/**
 * Memory behind a program's steps, grown as it is written; the strings lie behind all else, each once it is known where that ends.
 * Written for a cold start, where every call counts: zeros are there already, most words are small, and all strings are encoded by
 * one call (docs/design/0005-start-cost.md).
 */
import type { RawArg, Register, Words } from "./program.ts";
import { writeText } from "./text.ts";
import { set64 } from "./words.ts";

/** A slot, and the offsets of the words where its number belongs: what a linker calls relocations. */
export interface Hole {
  readonly slot: string;
  readonly at: readonly number[];
}

type Placed = Exclude<RawArg, Register> | bigint;

export class Segment {
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
