/**
 * What root's nsruns agree upon: files in the system's cache directory, whatever NSRUN_CACHE says, of which each process holds
 * bytes for as long as it lives (src/ffi/locks.ts). Nobody but root can open them, so nobody else can hold anything against him.
 */
import { Fd } from "../ffi/fd.ts";
import { AT_FDCWD, O } from "../ffi/flags.ts";
import { sys } from "../ffi/syscall.ts";
import { ownDirectory, SYSTEM_CACHE } from "./cache-dir.ts";

const RECORD = O.O_RDWR | O.O_CREAT | O.O_NOFOLLOW | O.O_CLOEXEC;

/** A description of its own at each call. Undefined where root cannot have it: on a read-only system, or as root of others' making. */
export function openRecord(name: "ids" | "networks"): Fd | undefined {
  try {
    const fd = sys("openat", AT_FDCWD, `${ownDirectory(SYSTEM_CACHE)}/${name}`, RECORD, 0o600);
    return fd < 0 ? undefined : new Fd(fd);
  } catch {
    return undefined; // no such directory can be made, or it is not ours
  }
}
