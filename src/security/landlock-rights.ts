/** Landlock's rights and the sets of them that rules name: linux/landlock.h of Linux 6.18, landlock(7) for the versions. */

/** A right: its bit, and the version of the interface (ABI) from which on the kernel can restrict it. */
export type Right = readonly [bit: number, abi: number];

/** LANDLOCK_ACCESS_FS_* by the name without the prefix. */
export const FS: Readonly<Record<string, Right>> = {
  execute: [1 << 0, 1],
  "write-file": [1 << 1, 1],
  "read-file": [1 << 2, 1],
  "read-dir": [1 << 3, 1],
  "remove-dir": [1 << 4, 1],
  "remove-file": [1 << 5, 1],
  "make-char": [1 << 6, 1],
  "make-dir": [1 << 7, 1],
  "make-reg": [1 << 8, 1],
  "make-sock": [1 << 9, 1],
  "make-fifo": [1 << 10, 1],
  "make-block": [1 << 11, 1],
  "make-sym": [1 << 12, 1],
  refer: [1 << 13, 1], // restricted by every ABI, granted from 2 on
  truncate: [1 << 14, 3],
  "ioctl-dev": [1 << 15, 5],
};
/** LANDLOCK_ACCESS_NET_*_TCP */
export const NET: Readonly<Record<string, Right>> = { bind: [1, 4], connect: [2, 4] };
/** LANDLOCK_SCOPE_* */
export const SCOPE: Readonly<Record<string, Right>> = { "abstract-unix-socket": [1, 6], signal: [2, 6] };

/** What a rule for a file (and no directory) may hold: ACCESS_FILE of the kernel's security/landlock/fs.c. */
export const ON_FILES = ["execute", "write-file", "read-file", "truncate", "ioctl-dev"];
const READ = ["read-file", "read-dir"];
const CHANGE = ["write-file", "truncate", "remove-dir", "remove-file", "refer", "make-dir", "make-reg", "make-sock", "make-fifo"];
const WRITE = [...READ, ...CHANGE, "make-sym"];

/** Words for the usual sets. Device nodes cannot be made with any of them. */
export const SETS: Readonly<Record<string, readonly string[]>> = {
  ro: READ,
  rx: [...READ, "execute"],
  rw: WRITE,
  rwx: [...WRITE, "execute"],
  dev: [...READ, "write-file", "ioctl-dev"],
};
