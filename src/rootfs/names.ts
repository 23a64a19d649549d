/**
 * Names inside archives and roots are bytes, not text: kept as "byte strings" (one char per byte, latin1), so that a name
 * which is no UTF-8 comes out of the archive unchanged.
 */
import { bytes } from "../ffi/syscall.ts";

/** A string whose every char is one byte, 0 to 255. */
export type ByteString = string;

const decoder = new TextDecoder();
const ASCII = /^[\x01-\x7f]*$/;

/** The byte string of bytes. */
export const byteString = (data: Uint8Array): ByteString =>
  Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("latin1");

/** A byte string as the argument of a system call: itself when ASCII, else a terminated buffer. */
export function cstr(name: ByteString): string | Uint8Array {
  if (ASCII.test(name)) return name;
  const out = bytes(name.length + 1);
  for (let i = 0; i < name.length; i++) out[i] = name.charCodeAt(i);
  return out;
}

/** A byte string for a message: UTF-8 decoded, else as {@link showText}. */
export const show = (name: ByteString): string => showText(decoder.decode(Buffer.from(name, "latin1")));

/** For a message: control characters as `\x1b`, at most 200 characters. */
export function showText(text: string): string {
  const safe = text.replace(/[\x00-\x1f\x7f-\x9f]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`);
  return safe.length > 200 ? `${safe.slice(0, 197)}...` : safe;
}

/** Why a name from an archive cannot be used, or its components. */
export type Split = { readonly parts: ByteString[] } | { readonly problem: string; readonly limit?: "maxDepth" | "maxPath" };

/**
 * The components of an archive's name. As tar(1): a leading `/` is taken off; `.` and empty components mean nothing.
 * A `..` component is refused, always: nothing a well-meant archive needs it for. No component: the root itself.
 */
export function splitName(name: ByteString, maxDepth: number, maxLength: number): Split {
  if (name === "") return { problem: "empty name" };
  if (name.includes("\0")) return { problem: "NUL in the name" };
  if (name.length > maxLength) return { problem: `name of ${name.length} bytes (limit ${maxLength})`, limit: "maxPath" };
  const parts: ByteString[] = [];
  let longest = 0;
  for (const part of name.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === "..") return { problem: "'..' in the name" };
    longest = Math.max(longest, part.length);
    parts.push(part);
  }
  if (parts.length > maxDepth) return { problem: `${parts.length} levels deep (limit ${maxDepth})`, limit: "maxDepth" };
  if (longest > 255) return { problem: "a name of more than 255 bytes" };
  return { parts };
}
