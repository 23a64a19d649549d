/**
 * What root's nsruns agree upon: files in the system's cache directory, whatever NSRUN_CACHE says, of which each process holds
 * bytes for as long as it lives (src/ffi/locks.ts). Nobody but root can open them, so nobody else can hold anything against him.
 */
import { errno } from "../ffi/errno.ts";
import { Fd } from "../ffi/fd.ts";
import { AT_FDCWD, O } from "../ffi/flags.ts";
import { failed, sys } from "../ffi/syscall.ts";
import { ownDirectory, SYSTEM_CACHE } from "./cache-dir.ts";

const RECORD = O.O_RDWR | O.O_CREAT | O.O_NOFOLLOW | O.O_CLOEXEC;

/** No descriptor, no memory: soon over. */
const TRANSIENT = [-errno("EMFILE"), -errno("ENFILE"), -errno("ENOMEM")];

/**
 * A description of its own at each call. Undefined where root cannot have it: on a read-only system, or in a user namespace.
 * Throws SyscallError where the next start could: it would not see what this one holds in another way.
 */
export function openRecord(name: "ids" | "networks"): Fd | undefined {
  let directory: string;
  try {
    directory = ownDirectory(SYSTEM_CACHE);
  } catch {
    return undefined; // no such directory can be made, or it is not ours
  }
  const fd = sys("openat", AT_FDCWD, `${directory}/${name}`, RECORD, 0o600);
  if (TRANSIENT.includes(fd)) throw failed(fd, `open ${directory}/${name}`);
  return fd < 0 ? undefined : new Fd(fd);
}
