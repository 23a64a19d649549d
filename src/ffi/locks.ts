/** Intervals of a file held among processes: open file description locks, fcntl(2), which end with their descriptor. */
import { bytes, failed, sys } from "./syscall.ts";

const F_OFD_SETLK = 37;
const F_RDLCK = 0;
const F_WRLCK = 1;
const EAGAIN = -11;

/** struct flock {s16 type, s16 whence, s64 start, s64 len, s32 pid}. Halves of 64 bits rather than BigInt: see process.ts. */
const flock = bytes(32);
const words = new Uint32Array(flock.buffer);

function set64(at: number, value: number): void {
  words[at / 4] = value;
  words[at / 4 + 1] = value / 2 ** 32;
}

/**
 * Holds the bytes from `first` on, which need not exist: "alone" or with others that share. False when somebody else's hold is in
 * the way. The same descriptor may hold several intervals. Throws SyscallError.
 */
export function holdBytes(fd: number, how: "alone" | "shared", first: number, size: number, doing: string): boolean {
  words[0] = how === "alone" ? F_WRLCK : F_RDLCK; // whence, above it, is 0: SEEK_SET
  set64(8, first);
  set64(16, size);
  const result = sys("fcntl", fd, F_OFD_SETLK, flock);
  if (result < 0 && result !== EAGAIN) throw failed(result, doing);
  return result === 0;
}
