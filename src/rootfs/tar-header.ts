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
  const end = block.indexOf(0, at);
  return byteString(block.subarray(at, end < 0 || end > at + length ? at + length : end));
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
  const digits = text(block, at, length).trim();
  if (digits === "") return 0;
  if (!/^[0-7]+$/.test(digits)) throw new HeaderProblem(`${what} is no number`);
  return Number.parseInt(digits, 8);
}

/** The checksum counts its own field as spaces; old tars summed signed bytes, so both sums are right. */
export function checksumFits(block: Uint8Array): boolean {
  let unsigned = 0;
  let high = 0;
  for (let i = 0; i < BLOCK; i++) {
    const byte = i >= 148 && i < 156 ? 32 : (block[i] ?? 0);
    unsigned += byte;
    if (byte > 127) high++;
  }
  const stored = text(block, 148, 8).trim();
  if (!/^[0-7]+$/.test(stored)) return false;
  const value = Number.parseInt(stored, 8);
  return value === unsigned || value === unsigned - 256 * high;
}

export const isZero = (block: Uint8Array): boolean => block.every((byte) => byte === 0);

/** Decodes one header; throws {@link HeaderProblem}. The checksum must have been checked. */
export function parseHeader(block: Uint8Array): TarHeader {
  const magic = text(block, 257, 6);
  const ustar = magic === "ustar";
  const gnu = magic === "ustar "; // GNU's old magic has no prefix field
  const type = String.fromCharCode(block[156] ?? 0);
  const device = type === "3" || type === "4";
  const prefix = ustar ? text(block, 345, 155) : "";
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
    major: device && (ustar || gnu) ? tarNumber(block, 329, 8, "device major") : 0,
    minor: device && (ustar || gnu) ? tarNumber(block, 337, 8, "device minor") : 0,
    block: type === "S" ? block : undefined,
  };
}
