/** Intervals of a file held among processes: open file description locks, fcntl(2), which end with their descriptor. */
import { bytes, failed, sys } from "./syscall.ts";
import { set64 } from "./words.ts";

const F_OFD_SETLK = 37;
const F_RDLCK = 0;
const F_WRLCK = 1;
const EAGAIN = -11;

/** struct flock {s16 type, s16 whence, s64 start, s64 len, s32 pid}. */
const flock = bytes(32);
const words = new Int32Array(flock.buffer);

/**
 * Holds the bytes from `first` on, which need not exist: "alone" or with others that share. False when somebody else's hold is in
 * the way. The same descriptor may hold several intervals. Throws SyscallError.
 */
export function holdBytes(fd: number, how: "alone" | "shared", first: number, size: number, doing: string): boolean {
  words[0] = how === "alone" ? F_WRLCK : F_RDLCK; // whence, above it, is 0: SEEK_SET
  set64(words, 2, first);
  set64(words, 4, size);
  const result = sys("fcntl", fd, F_OFD_SETLK, flock);
  if (result < 0 && result !== EAGAIN) throw failed(result, doing);
  return result === 0;
}
