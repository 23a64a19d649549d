/**
 * Directories that are made once and then only read: built as `tmp-PID-RANDOM`, complete before renameat2(2) gives them
 * their name. So what has a name is whole, whenever we were killed; a tmp-* that nobody holds locked is a dead one's.
 */
import { errno } from "../ffi/errno.ts";
import { Fd } from "../ffi/fd.ts";
import { AT_FDCWD, O } from "../ffi/flags.ts";
import { failed, sys } from "../ffi/syscall.ts";
import { atOnce, inTurns, unlessAborted } from "../turn.ts";
import { atExit } from "./at-exit.ts";
import { drop, EAGAIN, hold, LOCK_EX, LOCK_NB } from "./cache-use.ts";
import { statFd, statPath } from "./stat.ts";
import { syncFileSystem } from "./sync.ts";
import { makeTemporary, type RemoveOwned, removing, sweeping } from "./temporary.ts";

export interface Built {
  /** Absolute path of the complete directory: read it, never write it. */
  readonly dir: string;
  readonly fromCache: boolean;
}

const RENAME_NOREPLACE = 1;
const DIRECTORY = O.O_RDONLY | O.O_DIRECTORY | O.O_CLOEXEC;

/** Whether the cache has `name` complete. One system call. */
export const has = (cache: string, name: string): boolean => typeof statPath(AT_FDCWD, `${cache}/${name}`) !== "number";

export interface BuildOptions {
  readonly remove?: RemoveOwned | undefined;
  /** Ends the building when it fires, with the signal's reason; of what was there nothing is left then. */
  readonly signal?: AbortSignal | undefined;
}
type Build = (dirFd: number) => Promise<void>;

const running = new Map<string, { readonly work: Promise<Built>; readonly signal: AbortSignal | undefined }>();

/**
 * `CACHE/NAME`, built by `build` (told the empty directory's descriptor, 0755) unless it is there. One builder at a time. By
 * process.exit() in the middle it is undone as well.
 */
export async function buildOnce(cache: string, name: string, build: Build, options: BuildOptions = {}): Promise<Built> {
  const dir = `${cache}/${name}`;
  const { signal } = options;
  for (;;) {
    await hold(cache, name); // before looking: what is there now stays
    if (has(cache, name)) return { dir, fromCache: true };
    const before = running.get(dir);
    if (!before) break;
    try {
      return await unlessAborted(before.work, signal);
    } catch (error) {
      if (signal?.aborted || !before.signal?.aborted) throw error; // another's wish to end it is not ours
    }
  }
  const work = locked(cache, name, build, options).finally(() => running.delete(dir));
  running.set(dir, { work, signal });
  return work;
}

async function locked(cache: string, name: string, build: Build, { remove, signal }: BuildOptions): Promise<Built> {
  using at = Fd.from(`open ${cache}`, "openat", AT_FDCWD, cache, DIRECTORY, 0);
  const dir = `${cache}/${name}`;
  using _mark = atExit(() => drop(cache, name));
  let whole = false;
  try {
    using lock = await locking(at.number, `lock-${name}`, signal);
    using _lock = atExit(() => lock[Symbol.dispose]());
    await hold(cache, name); // a builder in this process that failed meanwhile has dropped it
    whole = has(cache, name);
    if (whole) return { dir, fromCache: true };
    await inTurns(sweeping(at.number, remove), signal);
    const temporary = makeTemporary(at.number);
    using _fd = temporary.fd;
    const undo = () => removing(at.number, temporary.name, remove);
    using _tree = atExit(() => atOnce(undo()));
    try {
      await build(temporary.fd.number);
      // a power cut must not leave a name whose files were never written (syncfs(2))
      await syncFileSystem(temporary.fd.number, `write ${dir} to disk`, signal);
      const result = sys("renameat2", at.number, temporary.name, at.number, name, RENAME_NOREPLACE);
      if (result < 0 && result !== -errno("EEXIST")) throw failed(result, `rename to ${dir}`);
      whole = true;
    } finally {
      await inTurns(undo()); // nothing, where it has its name
    }
    return { dir, fromCache: false };
  } finally {
    if (!whole) drop(cache, name);
  }
}

/**
 * An exclusive flock(2) on a file of the cache, which is removed on release. Its holder's death releases it. Asked for in
 * turns of 10 ms: a lock has no descriptor to wait on, and a blocking call would keep the JS thread from its signals.
 */
async function locking(cacheFd: number, name: string, signal: AbortSignal | undefined): Promise<Disposable> {
  for (;;) {
    signal?.throwIfAborted();
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
