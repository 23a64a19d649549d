/** statx(2), whose layout is the same on every architecture: linux/stat.h, struct statx. */
import { AT } from "../ffi/flags.ts";
import { bytes, failed, sys } from "../ffi/syscall.ts";

/** What is needed to know one file from another and to see that it changed. Times in nanoseconds. */
export interface Stat {
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly ino: bigint;
  readonly size: number;
  /** 512 bytes each, as allocated. */
  readonly blocks: number;
  readonly dev: string;
  readonly mtime: bigint;
  readonly ctime: bigint;
}

const STATX_BASIC_STATS = 0x7ff;
const buffer = bytes(256);
const view = new DataView(buffer.buffer);
const time = (at: number): bigint => view.getBigInt64(at, true) * 1000000000n + BigInt(view.getUint32(at + 8, true));

function decode(): Stat {
  return {
    mode: view.getUint16(28, true),
    nlink: view.getUint32(16, true),
    uid: view.getUint32(20, true),
    gid: view.getUint32(24, true),
    ino: view.getBigUint64(32, true),
    size: Number(view.getBigUint64(40, true)),
    blocks: Number(view.getBigUint64(48, true)),
    dev: `${view.getUint32(136, true)}:${view.getUint32(140, true)}`,
    mtime: time(112),
    ctime: time(96),
  };
}

/** The file at a path; symbolic links are followed. -errno when there is none. */
export function statPath(dirFd: number, path: string | Uint8Array, flags = 0): Stat | number {
  const result = sys("statx", dirFd, path, flags, STATX_BASIC_STATS, buffer);
  return result < 0 ? result : decode();
}

/** An open file. */
export function statFd(fd: number): Stat {
  const result = sys("statx", fd, "", AT.AT_EMPTY_PATH, STATX_BASIC_STATS, buffer);
  if (result < 0) throw failed(result, "stat of an open file");
  return decode();
}

/** Device, inode, size and both times: equal means the same content, short of a clock set back. */
export const identity = (stat: Stat): string => `${stat.dev} ${stat.ino} ${stat.size} ${stat.mtime} ${stat.ctime}`;
