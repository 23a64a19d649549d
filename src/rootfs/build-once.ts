/**
 * Directories that are made once and then only read: built as `tmp-PID-RANDOM`, complete before renameat2(2) gives them
 * their name. So what has a name is whole, whenever we were killed; a tmp-* that nobody holds locked is a dead one's.
 */
import { randomBytes } from "node:crypto";
import { NsrunError } from "../errors.ts";
import { errno } from "../ffi/errno.ts";
import { Fd } from "../ffi/fd.ts";
import { AT_FDCWD, O } from "../ffi/flags.ts";
import { failed, must, sys } from "../ffi/syscall.ts";
import { drop, EAGAIN, hold, LOCK_EX, LOCK_NB } from "./cache-use.ts";
import { statFd, statPath } from "./stat.ts";
import { listAll, removeTree } from "./tree.ts";

export interface Built {
  /** Absolute path of the complete directory: read it, never write it. */
  readonly dir: string;
  readonly fromCache: boolean;
}

const RENAME_NOREPLACE = 1;
const DIRECTORY = O.O_RDONLY | O.O_DIRECTORY | O.O_NOFOLLOW | O.O_CLOEXEC;

/** Whether the cache has `name` complete. One system call. */
export const has = (cache: string, name: string): boolean => typeof statPath(AT_FDCWD, `${cache}/${name}`) !== "number";

const running = new Map<string, Promise<Built>>();

/**
 * `CACHE/NAME`, built by `build` (told the empty directory's descriptor, 0755) unless it is there. One builder at a time.
 * `remove`: for what we may not remove ourselves, files of granted ids.
 */
export async function buildOnce(
  cache: string,
  name: string,
  build: (dirFd: number) => Promise<void>,
  remove?: (name: string) => void,
): Promise<Built> {
  const dir = `${cache}/${name}`;
  await hold(cache, name); // before looking: what is there now stays
  if (has(cache, name)) return { dir, fromCache: true };
  const before = running.get(dir);
  if (before) return before;
  const work = locked(cache, name, build, remove).finally(() => running.delete(dir));
  running.set(dir, work);
  return work;
}

async function locked(
  cache: string,
  name: string,
  build: (dirFd: number) => Promise<void>,
  remove?: (name: string) => void,
): Promise<Built> {
  using at = Fd.from(`open ${cache}`, "openat", AT_FDCWD, cache, DIRECTORY & ~O.O_NOFOLLOW, 0);
  const dir = `${cache}/${name}`;
  using _lock = await lock(at.number, `lock-${name}`);
  await hold(cache, name); // a builder in this process that failed meanwhile has dropped it
  if (has(cache, name)) return { dir, fromCache: true };
  sweep(at.number, remove);
  const temporary = makeTemporary(at.number);
  try {
    await build(temporary.fd.number);
    // a power cut must not leave a name whose files were never written (syncfs(2))
    must(`write ${dir} to disk`, "syncfs", temporary.fd.number);
    const result = sys("renameat2", at.number, temporary.name, at.number, name, RENAME_NOREPLACE);
    if (result < 0 && result !== -errno("EEXIST")) throw failed(result, `rename to ${dir}`);
    if (result < 0) removeTree(at.number, temporary.name);
    return { dir, fromCache: false };
  } catch (error) {
    removeQuietly(at.number, temporary.name, remove);
    drop(cache, name);
    throw error;
  } finally {
    temporary.fd.close();
  }
}

/**
 * An exclusive flock(2) on a file of the cache, which is removed on release. Its holder's death releases it. Asked for in
 * turns of 10 ms: a lock has no descriptor to wait on, and a blocking call would keep the JS thread from its signals.
 */
async function lock(cacheFd: number, name: string): Promise<Disposable> {
  for (;;) {
    const fd = Fd.from(
      `open ${name} in the cache`,
      "openat",
      cacheFd,
      name,
      O.O_RDWR | O.O_CREAT | O.O_NOFOLLOW | O.O_CLOEXEC,
      0o600,
    );
    const result = sys("flock", fd.number, LOCK_EX | LOCK_NB);
    if (result === 0) {
      const there = statPath(cacheFd, name);
      if (typeof there !== "number" && there.ino === statFd(fd.number).ino) {
        return {
          [Symbol.dispose]() {
            sys("unlinkat", cacheFd, name, 0); // while it is held: whoever waits sees that its file is no longer the one
            fd.close();
          },
        };
      }
    }
    fd.close();
    if (result < 0 && result !== EAGAIN) throw failed(result, `lock ${name} in the cache`);
    if (result < 0) await new Promise((wake) => setTimeout(wake, 10));
  }
}

/** A directory of ours, held locked as long as we live; made again when a sweep was faster than the lock. */
export function makeTemporary(cacheFd: number): { fd: Fd; name: string } {
  for (let tries = 0; tries < 100; tries++) {
    const name = `tmp-${process.pid}-${randomBytes(6).toString("hex")}`;
    must("make a directory in the cache", "mkdirat", cacheFd, name, 0o755);
    const number = sys("openat", cacheFd, name, DIRECTORY, 0);
    if (number < 0) continue;
    const fd = new Fd(number);
    const there = sys("flock", number, LOCK_EX | LOCK_NB) === 0 ? statPath(cacheFd, name) : -1;
    if (typeof there !== "number" && there.ino === statFd(number).ino) {
      must("set the mode of a directory in the cache", "fchmod", number, 0o755);
      return { fd, name };
    }
    fd.close();
  }
  throw new NsrunError("cannot make a temporary directory in the cache");
}

/** Removes what dead builders left. Not being able to is no reason to fail: it is never used. */
export function sweep(cacheFd: number, remove?: (name: string) => void): void {
  for (const name of listAll(cacheFd)) {
    if (!name.startsWith("tmp-")) continue;
    const number = sys("openat", cacheFd, name, DIRECTORY, 0);
    if (number < 0) continue;
    if (sys("flock", number, LOCK_EX | LOCK_NB) === 0) removeQuietly(cacheFd, name, remove);
    sys("close", number);
  }
}

function removeQuietly(cacheFd: number, name: string, remove?: (name: string) => void): void {
  try {
    try {
      removeTree(cacheFd, name);
    } catch (error) {
      if (!remove) throw error;
      remove(name);
    }
  } catch {
    // the error that brought us here matters more; the next sweep tries again
  }
}
