/**
 * Small reads without node:fs, whose loading costs every start 2 ms (measured: an empty executable 4.7 ms, one that imports
 * node:fs 7.0). Results are -errno on failure, as from sys().
 */
import { NsrunError } from "../errors.ts";
import { exactText, REPLACED, shownBytes } from "./exact.ts";
import { AT_FDCWD, O } from "./flags.ts";
import { bytes, sys } from "./syscall.ts";
import { textOf } from "./text.ts";

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  if (chunks.length === 1) return chunks[0]!;
  let length = 0;
  for (const chunk of chunks) length += chunk.length;
  const all = bytes(length);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

/** A whole small file, such as one of /proc. */
export function readBytes(path: string): Uint8Array | number {
  const fd = sys("openat", AT_FDCWD, path, O.O_RDONLY | O.O_CLOEXEC, 0);
  if (fd < 0) return fd;
  const chunks: Uint8Array[] = [];
  for (;;) {
    const chunk = bytes(4096);
    const length = sys("read", fd, chunk, chunk.length);
    if (length > 0) chunks.push(chunk.subarray(0, length));
    else {
      sys("close", fd);
      return length < 0 ? length : joined(chunks);
    }
  }
}

export function readText(path: string): string | number {
  const read = readBytes(path);
  return typeof read === "number" ? read : textOf(read);
}

/** readlink(2) */
export function readLink(path: string): string | number {
  const target = bytes(4096);
  const length = sys("readlinkat", AT_FDCWD, path, target, target.length);
  return length < 0 ? length : textOf(target.subarray(0, length));
}

function workingDirectory(): string {
  const path = process.cwd();
  if (!path.includes(REPLACED)) return path;
  const real = bytes(4096);
  const name = real.subarray(0, Math.max(0, sys("getcwd", real, real.length) - 1)); // without the NUL
  if (exactText(name) === path) return path;
  throw new NsrunError(`the working directory's name is not valid UTF-8: ${shownBytes(name)}`, { hint: "name absolute paths" });
}

/** An absolute path for a path of the caller's; links and `..` are left to the kernel. Throws NsrunError. */
export const absolute = (path: string): string => (path.startsWith("/") ? path : `${workingDirectory()}/${path}`);
