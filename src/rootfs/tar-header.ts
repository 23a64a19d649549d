/** One 512-byte tar header as data: v7, ustar (POSIX.1-1988), GNU (tar's `src/tar.h`). Pure. */
import { type ByteString, byteString } from "./names.ts";

export const BLOCK = 512;

/** A header's fields as they stand; `name` already joined with ustar's prefix. Numbers are exact or the header is refused. */
export interface TarHeader {
  readonly name: ByteString;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly type: string;
  readonly linkname: ByteString;
  readonly major: number;
  readonly minor: number;
  /** The block itself, of a type that says more in it. */
  readonly block: Uint8Array | undefined;
}

/** A header that cannot be right; the message is the reason only. */
export class HeaderProblem extends Error {}

function text(block: Uint8Array, at: number, length: number): ByteString {
  if (block[at] === 0) return "";
  const end = block.indexOf(0, at);
  return byteString(block.subarray(at, end < 0 || end > at + length ? at + length : end));
}

/** Octal digits; -1: a field with nothing in it, NaN: with something else. */
function octal(block: Uint8Array, at: number, length: number): number {
  const end = at + length;
  let value = 0;
  let i = at;
  for (; i < end; i++) {
    const digit = (block[i] ?? 0) - 48;
    if (digit < 0 || digit > 7) break;
    value = value * 8 + digit;
  }
  if (i > at && (i === end || block[i] === 0)) return value; // as tar writes it: 150 ns less than through a string
  const digits = text(block, at, length).trim();
  if (digits === "") return -1;
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number.NaN;
}

/** Octal digits, or GNU's base 256: the first byte's top bit set, two's complement big-endian (tar.h, "numeric extension"). */
export function tarNumber(block: Uint8Array, at: number, length: number, what: string): number {
  const first = block[at] ?? 0;
  if (first & 0x80) {
    let value = first & 0x40 ? (first & 0x7f) - 0x80 : first & 0x7f;
    for (let i = at + 1; i < at + length; i++) value = value * 256 + (block[i] ?? 0);
    if (!Number.isSafeInteger(value)) throw new HeaderProblem(`${what} out of range`);
    return value;
  }
  const value = octal(block, at, length);
  if (Number.isNaN(value)) throw new HeaderProblem(`${what} is no number`);
  return Math.max(value, 0);
}

/** The sum of all bytes, four at a time: two halves of a word, each of which holds 256 times 255. */
function sumOf(block: Uint8Array): number {
  const aligned = block.byteOffset % 4 === 0 ? block : new Uint8Array(block); // a copy; Buffer's slice() makes none
  const words = new Int32Array(aligned.buffer, aligned.byteOffset, BLOCK / 4);
  let halves = 0;
  for (let i = 0; i < BLOCK / 4; i++) {
    const word = words[i] ?? 0;
    halves = (halves + (word & 0xff00ff) + ((word >>> 8) & 0xff00ff)) | 0;
  }
  return (halves & 0xffff) + (halves >>> 16);
}

/** The checksum counts its own field as blanks; old tars summed signed bytes, so both sums are right. */
export function checksumFits(block: Uint8Array): boolean {
  const stored = octal(block, 148, 8);
  if (!(stored >= 0)) return false;
  let unsigned = sumOf(block);
  for (let i = 148; i < 156; i++) unsigned += 32 - (block[i] ?? 0);
  if (stored === unsigned) return true;
  let high = 0;
  for (let i = 0; i < BLOCK; i++) if ((i < 148 || i >= 156) && (block[i] ?? 0) > 127) high++;
  return stored === unsigned - 256 * high;
}

export const isZero = (block: Uint8Array): boolean => block[0] === 0 && block.every((byte) => byte === 0);

/** Decodes one header; throws {@link HeaderProblem}. The checksum must have been checked. */
export function parseHeader(block: Uint8Array): TarHeader {
  const type = String.fromCharCode(block[156] ?? 0);
  const magic = text(block, 257, 6); // GNU's old one, "ustar ", has no prefix field
  const device = (type === "3" || type === "4") && (magic === "ustar" || magic === "ustar ");
  const prefix = magic === "ustar" ? text(block, 345, 155) : "";
  const name = text(block, 0, 100);
  const size = tarNumber(block, 124, 12, "size");
  if (size < 0) throw new HeaderProblem("negative size");
  return {
    name: prefix === "" ? name : `${prefix}/${name}`,
    mode: tarNumber(block, 100, 8, "mode") & 0o7777,
    uid: tarNumber(block, 108, 8, "uid"),
    gid: tarNumber(block, 116, 8, "gid"),
    size,
    mtime: tarNumber(block, 136, 12, "mtime"),
    type,
    linkname: text(block, 157, 100),
    major: device ? tarNumber(block, 329, 8, "device major") : 0,
    minor: device ? tarNumber(block, 337, 8, "device minor") : 0,
    block: type === "S" ? block : undefined,
  };
}
