/** What the cache holds, and the removal of what nobody uses. */
import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { errno } from "../ffi/errno.ts";
import { Fd } from "../ffi/fd.ts";
import { AT_FDCWD, O } from "../ffi/flags.ts";
import { failed, must, sys } from "../ffi/syscall.ts";
import { atOnce, type Steps } from "../turn.ts";
import { EAGAIN, LOCK_EX, LOCK_NB, markPath } from "./cache-use.ts";
import { statFd, statPath } from "./stat.ts";
import { sweep } from "./temporary.ts";
import { removeTree } from "./tree.ts";

export interface CacheEntry {
  readonly name: string;
  /** An unpacked archive, or the default root made of a busybox. */
  readonly kind: "archive" | "busybox";
  /** Milliseconds since 1970. */
  readonly used: number;
  /** By a process that runs now. */
  readonly inUse: boolean;
}

export interface PruneOptions {
  /** Milliseconds: what was used since then stays. Default: all that nobody uses now goes. */
  readonly olderThan?: number;
  readonly kind?: CacheEntry["kind"];
  /** Removes what we may not remove ourselves: files of granted ids. */
  readonly remove?: ((path: string) => Steps) | undefined;
}

const ENOENT = -errno("ENOENT");
const KINDS = { "rootfs-": "archive", "busybox-root-": "busybox" } as const;

function kindOf(name: string): CacheEntry["kind"] | undefined {
  return Object.entries(KINDS).find(([prefix]) => name.startsWith(prefix))?.[1];
}

/** When `name` was used last: its mark's time; without a mark (trees of the first versions) when it was made. */
function usedAt(cache: string, name: string): number {
  const mark = statPath(AT_FDCWD, markPath(cache, name));
  if (typeof mark !== "number") return Number(mark.mtime / 1_000_000n);
  const made = statPath(AT_FDCWD, `${cache}/${name}`);
  return typeof made === "number" ? 0 : Number(made.ctime / 1_000_000n);
}

/** The exclusive lock on a mark, or why there is none: held shared, not there, or removed while we took it. */
function lockMark(cache: string, name: string, create: boolean): Fd | "in use" | "none" {
  const flags = O.O_RDONLY | O.O_NOFOLLOW | O.O_CLOEXEC | (create ? O.O_CREAT : 0);
  const number = sys("openat", AT_FDCWD, markPath(cache, name), flags, 0o600);
  if (number === ENOENT) return "none";
  if (number < 0) throw failed(number, `open the mark of ${name} in the cache`);
  const fd = new Fd(number);
  const locked = sys("flock", number, LOCK_EX | LOCK_NB);
  if (locked === 0 && statFd(number).nlink > 0) return fd;
  fd.close();
  if (locked < 0 && locked !== EAGAIN) throw failed(locked, `lock the mark of ${name} in the cache`);
  return locked < 0 ? "in use" : "none";
}

/** All trees of the cache, the longest unused first. */
export function cacheEntries(cache: string): CacheEntry[] {
  const entries = readdirSync(cache).flatMap((name): CacheEntry[] => {
    const kind = kindOf(name);
    if (!kind) return [];
    const mark = lockMark(cache, name, false);
    if (typeof mark === "object") mark.close();
    return [{ name, kind, used: usedAt(cache, name), inUse: mark === "in use" }];
  });
  return entries.sort((a, b) => a.used - b.used);
}

/**
 * Removes the trees that no running process uses; what was removed. A tree loses its name first, in one call: whoever starts
 * meanwhile makes a new one. Shell: no equivalent. Throws SyscallError.
 */
export function prune(cache: string, options: PruneOptions = {}): CacheEntry[] {
  const before = options.olderThan === undefined ? Number.POSITIVE_INFINITY : Date.now() - options.olderThan;
  using at = Fd.from(`open ${cache}`, "openat", AT_FDCWD, cache, O.O_RDONLY | O.O_DIRECTORY | O.O_CLOEXEC, 0);
  const { remove } = options;
  sweep(at.number, remove && ((name) => remove(`${cache}/${name}`)));
  const removed: CacheEntry[] = [];
  for (const entry of cacheEntries(cache)) {
    if (entry.used > before || entry.inUse || (options.kind && entry.kind !== options.kind)) continue;
    const mark = lockMark(cache, entry.name, true);
    if (typeof mark === "string") continue;
    const temporary = `tmp-${process.pid}-${randomBytes(6).toString("hex")}`;
    const lock = lockTree(at.number, entry.name);
    try {
      must(`take ${entry.name} out of the cache`, "renameat2", at.number, entry.name, at.number, temporary, 0);
      sys("unlinkat", AT_FDCWD, markPath(cache, entry.name), 0);
      mark.close(); // whoever waited may go on: the name is free
      removeTemporary(at.number, cache, temporary, options.remove);
    } finally {
      mark.close();
      lock?.close();
    }
    removed.push(entry);
  }
  forget(cache, before);
  return removed;
}

/** So that no builder's sweep takes what has lost its name for a dead one's. What cannot be opened is not swept either. */
function lockTree(at: number, name: string): Fd | undefined {
  const fd = sys("openat", at, name, O.O_RDONLY | O.O_DIRECTORY | O.O_NOFOLLOW | O.O_CLOEXEC, 0);
  if (fd < 0) return undefined;
  sys("flock", fd, LOCK_EX | LOCK_NB);
  return new Fd(fd);
}

function removeTemporary(at: number, cache: string, name: string, remove: PruneOptions["remove"]): void {
  try {
    removeTree(at, name);
  } catch (error) {
    if (!remove) throw error;
    atOnce(remove(`${cache}/${name}`));
  }
}

/** Notes of archives' hashes from before then (without one an archive is read once more), and marks without a tree. */
function forget(cache: string, before: number): void {
  for (const name of readdirSync(cache)) {
    const path = `${cache}/${name}`;
    if (name.startsWith("memo-")) {
      const stat = statPath(AT_FDCWD, path);
      if (typeof stat !== "number" && Number(stat.mtime / 1_000_000n) <= before) sys("unlinkat", AT_FDCWD, path, 0);
    } else if (name.startsWith("use-")) {
      const tree = name.slice("use-".length);
      if (typeof statPath(AT_FDCWD, `${cache}/${tree}`) !== "number") continue;
      const mark = lockMark(cache, tree, false); // who is about to build it holds it
      if (typeof mark === "string") continue;
      sys("unlinkat", AT_FDCWD, path, 0);
      mark.close();
    }
  }
}
