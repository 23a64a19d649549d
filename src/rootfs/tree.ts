/**
 * Directories below a root, one descriptor per component: each is opened from its parent's descriptor by a single name with
 * O_NOFOLLOW|O_DIRECTORY, so no symbolic link is ever followed and nothing outside can be reached, whoever else writes there.
 */
import { errno } from "../ffi/errno.ts";
import { AT, O } from "../ffi/flags.ts";
import { failed, sys } from "../ffi/syscall.ts";
import { atOnce, type Steps } from "../turn.ts";
import { GUARDS } from "./guards.ts";
import { type ByteString, cstr } from "./names.ts";

const ENOENT = -errno("ENOENT");
const ENOTDIR = -errno("ENOTDIR");

/** Keeps the chain of the last path open: archives come in tree order, so most look-ups open nothing. */
export class Tree implements Disposable {
  readonly root: number;
  #chain: { name: ByteString; fd: number }[] = [];

  /** `root` stays the caller's. */
  constructor(root: number) {
    this.root = root;
  }

  /**
   * The descriptor (O_PATH, valid until the next call) of the directory that the first `count` of `parts` name; missing ones are
   * made with mode 0755 when `create` is given, which is told their path. Otherwise -errno; ENOTDIR when a component is a link or
   * a file.
   */
  directory(parts: readonly ByteString[], create?: (made: ByteString) => void, count = parts.length): number {
    let depth = 0;
    while (depth < count && this.#chain[depth]?.name === parts[depth]) depth++;
    this.#cut(depth);
    for (; depth < count; depth++) {
      const name = parts[depth] ?? "";
      const parent = this.#top();
      let fd = sys("openat", parent, cstr(name), GUARDS.component, 0);
      if (fd === ENOENT && create) {
        const made = sys("mkdirat", parent, cstr(name), 0o755);
        if (made < 0) return made;
        create(parts.slice(0, depth + 1).join("/"));
        fd = sys("openat", parent, cstr(name), GUARDS.component, 0);
      }
      if (fd < 0) return fd;
      this.#chain.push({ name, fd });
    }
    return this.#top();
  }

  #top(): number {
    return this.#chain[this.#chain.length - 1]?.fd ?? this.root;
  }

  #cut(depth: number): void {
    while (this.#chain.length > depth) sys("close", this.#chain.pop()?.fd);
  }

  [Symbol.dispose](): void {
    this.#cut(0);
  }
}

/** Removes what has the name, be it a file, a link or an empty directory. 0 also when nothing was there; else -errno. */
export function removeName(parent: number, name: ByteString): number {
  const result = sys("unlinkat", parent, cstr(name), 0);
  if (result === -errno("EISDIR") || result === -errno("EPERM")) {
    const again = sys("unlinkat", parent, cstr(name), AT.AT_REMOVEDIR);
    return again === ENOENT ? 0 : again === ENOTDIR ? result : again;
  }
  return result === ENOENT ? 0 : result;
}

/**
 * Removes `name` with all below it, one name a step, following nothing; directories without permission are given it first. Of a
 * large tree one descriptor a level is open. Throws SyscallError.
 */
export function* removal(parent: number, name: ByteString): Steps {
  yield;
  const flat = removeName(parent, name);
  if (flat !== -errno("ENOTEMPTY") && flat !== -errno("EACCES")) {
    if (flat < 0) throw failed(flat, `remove ${name}`);
    return;
  }
  let fd = sys("openat", parent, cstr(name), O.O_NOFOLLOW | O.O_DIRECTORY | O.O_CLOEXEC, 0);
  if (fd === -errno("EACCES")) {
    sys("fchmodat", parent, cstr(name), 0o700);
    fd = sys("openat", parent, cstr(name), O.O_NOFOLLOW | O.O_DIRECTORY | O.O_CLOEXEC, 0);
  }
  if (fd < 0) throw failed(fd, `remove ${name}`);
  try {
    sys("fchmod", fd, 0o700);
    for (let names = list(fd); names.length > 0; names = list(fd)) for (const entry of names) yield* removal(fd, entry);
  } finally {
    sys("close", fd);
  }
  const last = removeName(parent, name);
  if (last < 0) throw failed(last, `remove ${name}`);
}

/** {@link removal}, now. */
export const removeTree = (parent: number, name: ByteString): void => atOnce(removal(parent, name));

/** Names in a directory, without `.` and `..`, from where it was read last; none at its end: getdents64(2), linux_dirent64. */
function batch(fd: number): ByteString[] {
  const buffer = new Uint8Array(new ArrayBuffer(32768));
  for (;;) {
    const length = sys("getdents64", fd, buffer, buffer.length);
    if (length < 0) throw failed(length, "list a directory");
    const names: ByteString[] = [];
    const raw = Buffer.from(buffer.buffer);
    for (let at = 0; at < length; at += raw.readUInt16LE(at + 16)) {
      const name = raw.toString("latin1", at + 19, raw.indexOf(0, at + 19));
      if (name !== "." && name !== "..") names.push(name);
    }
    if (names.length > 0 || length === 0) return names;
  }
}

/** One buffer's worth of names, from the start: all that is left, for who removes them. */
export function list(fd: number): ByteString[] {
  sys("lseek", fd, 0, 0);
  return batch(fd);
}

/** All names. */
export function listAll(fd: number): ByteString[] {
  const names = list(fd);
  for (let more = batch(fd); more.length > 0; more = batch(fd)) names.push(...more);
  return names;
}
