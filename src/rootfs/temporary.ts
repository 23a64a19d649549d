/** Directories of the cache that have no name yet, `tmp-PID-RANDOM`, held locked as long as their makers live. */
import { randomBytes } from "node:crypto";
import { NsrunError } from "../errors.ts";
import { Fd } from "../ffi/fd.ts";
import { O } from "../ffi/flags.ts";
import { must, sys } from "../ffi/syscall.ts";
import { atOnce, type Steps } from "../turn.ts";
import { LOCK_EX, LOCK_NB } from "./cache-use.ts";
import { statFd, statPath } from "./stat.ts";
import { listAll, removal } from "./tree.ts";

const DIRECTORY = O.O_RDONLY | O.O_DIRECTORY | O.O_NOFOLLOW | O.O_CLOEXEC;

/** Removes what we may not remove ourselves, files of granted ids, by its name in the cache. */
export type RemoveOwned = (name: string) => Steps;

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

/** Removes what dead builders left, in steps. Not being able to is no reason to fail: it is never used. */
export function* sweeping(cacheFd: number, remove?: RemoveOwned): Steps {
  for (const name of listAll(cacheFd)) {
    if (!name.startsWith("tmp-")) continue;
    const number = sys("openat", cacheFd, name, DIRECTORY, 0);
    if (number < 0) continue;
    try {
      if (sys("flock", number, LOCK_EX | LOCK_NB) === 0) yield* removing(cacheFd, name, remove);
    } finally {
      sys("close", number);
    }
  }
}

/** {@link sweeping}, now. */
export const sweep = (cacheFd: number, remove?: RemoveOwned): void => atOnce(sweeping(cacheFd, remove));

/** Removes a tree, in steps, and says nothing when it cannot. */
export function* removing(cacheFd: number, name: string, remove?: RemoveOwned): Steps {
  try {
    try {
      yield* removal(cacheFd, name);
    } catch (error) {
      if (!remove) throw error;
      yield* remove(name);
    }
  } catch {
    // the error that brought us here matters more; the next sweep tries again
  }
}
