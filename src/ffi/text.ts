/**
 * Strings as bytes and back without Buffer and TextDecoder, whose first uses cost a start 0.15 and 0.05 ms
 * (docs/design/0005-start-cost.md).
 */
import { CString, ptr } from "bun:ffi";

const encoder = new TextEncoder();

/** UTF-8, in memory whose address stays (see bytes() in syscall.ts). */
export function utf8(text: string): Uint8Array<ArrayBuffer> {
  const room = new Uint8Array(new ArrayBuffer(text.length * 3));
  return room.subarray(0, encoder.encodeInto(text, room).written);
}

/** Bytes of `text` in UTF-8, without a terminator. */
export const byteLength = (text: string): number => utf8(text).length;

/** Writes `text` at the beginning of `memory`; returns how many bytes. */
export const writeText = (memory: Uint8Array<ArrayBuffer>, text: string): number => encoder.encodeInto(text, memory).written;

/** As TextDecoder has it (U+FFFD for what is no UTF-8), but a mark at the beginning (U+FEFF) stays. */
export const textOf = (bytes: Uint8Array): string =>
  bytes.length === 0 ? "" : new CString(ptr(bytes), 0, bytes.length).toString();
