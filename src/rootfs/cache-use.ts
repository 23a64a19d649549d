/**
 * Who uses which tree of the cache. Beside `NAME` lies an empty file `use-NAME`: a start holds a shared flock(2) on it for as
 * long as its process lives (with which all its containers end), its time is that of the last use. Removing a tree needs the
 * exclusive lock. Not the tree's own directory: an archive may give that to another id, without any permission, and its times
 * show inside. Three system calls a start.
 */
import { errno } from "../ffi/errno.ts";
import { AT_FDCWD, O } from "../ffi/flags.ts";
import { sys } from "../ffi/syscall.ts";
import { statFd, statPath } from "./stat.ts";

export const LOCK_SH = 1;
export const LOCK_EX = 2;
export const LOCK_NB = 4;
export const EAGAIN = -errno("EAGAIN");
const MARK = O.O_RDONLY | O.O_CREAT | O.O_NOFOLLOW | O.O_CLOEXEC;
/** The time of a mark is not written more often than this. Nanoseconds. */
const FRESH = 3_600_000_000_000n;

export const markPath = (cache: string, name: string): string => `${cache}/use-${name}`;

/** Held by this process: mark → descriptor. Never closed: a container of ours may be on it. */
const held = new Map<string, number>();

/**
 * Locks the mark of `name` shared; call it before looking whether `name` is there. A promise where a removal is under way,
 * which holds the lock for the time of a rename. A cache that cannot be written (where nothing is removed either) has no marks.
 */
export function hold(cache: string, name: string): Promise<void> | undefined {
  const path = markPath(cache, name);
  while (!held.has(path)) {
    const fd = sys("openat", AT_FDCWD, path, MARK, 0o600);
    if (fd < 0) return undefined;
    const locked = sys("flock", fd, LOCK_SH | LOCK_NB);
    const stat = statFd(fd);
    if (locked === EAGAIN || stat.nlink === 0) {
      sys("close", fd);
      if (locked === EAGAIN) return new Promise((wake) => setTimeout(wake, 10)).then(() => hold(cache, name));
      continue; // its tree was removed between our open and our lock
    }
    if (BigInt(Date.now()) * 1_000_000n - stat.mtime > FRESH) sys("utimensat", fd, null, null, 0);
    held.set(path, fd);
  }
  return undefined;
}

/** Gives up what {@link hold} took, for a tree that could not be made; the mark goes when nobody else holds it. */
export function drop(cache: string, name: string): void {
  const path = markPath(cache, name);
  const fd = held.get(path);
  if (fd === undefined) return;
  held.delete(path);
  const alone = sys("flock", fd, LOCK_EX | LOCK_NB) === 0;
  if (alone && typeof statPath(AT_FDCWD, `${cache}/${name}`) === "number") sys("unlinkat", AT_FDCWD, path, 0);
  sys("close", fd);
}
