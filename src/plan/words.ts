/**
 * What the numbers in a call's arguments are called: the constants of the man page, as strace(1) prints them. Loaded only by
 * who shows a plan. asm-generic's values, which x86_64 and aarch64 share.
 */
import {
  AT,
  CAPABILITIES,
  CLONE,
  FSCONFIG,
  MNT,
  MOUNT_ATTR,
  MOVE_MOUNT,
  MS,
  names,
  OPEN_TREE,
  openNames,
  PR,
  RLIMIT,
  S,
  SIGNALS,
} from "../ffi/flags.ts";

type Table = Readonly<Record<string, number>>;
type Word = (value: number) => string;

const AF: Table = { AF_UNIX: 1, AF_INET: 2, AF_INET6: 10, AF_NETLINK: 16 };
/** bits/socket.h */
const SOCK: Table = { SOCK_STREAM: 1, SOCK_DGRAM: 2, SOCK_RAW: 3 };
const SOCK_FLAGS: Table = { SOCK_CLOEXEC: 0x80000, SOCK_NONBLOCK: 0x800 };
const MSG: Table = { MSG_DONTWAIT: 0x40, MSG_WAITALL: 0x100, MSG_NOSIGNAL: 0x4000 };
const FCNTL: Table = { F_GETFD: 1, F_SETFD: 2, F_GETFL: 3, F_SETFL: 4, F_DUPFD_CLOEXEC: 1030 };
const FD: Table = { FD_CLOEXEC: 1 };
const HOW: Table = { SIG_BLOCK: 0, SIG_UNBLOCK: 1, SIG_SETMASK: 2 };
const DUMPABLE: Table = { SUID_DUMP_DISABLE: 0, SUID_DUMP_USER: 1 };
/** linux/sockios.h, asm-generic/ioctls.h */
const IOCTL: Table = {
  SIOCSIFFLAGS: 0x8914,
  TCGETS: 0x5401,
  TCSETS: 0x5402,
  TIOCSCTTY: 0x540e,
  TIOCSWINSZ: 0x5414,
  TIOCSPTLCK: 0x40045431,
  TIOCGPTPEER: 0x5441,
};
/** linux/prctl.h, linux/seccomp.h, linux/keyctl.h, linux/landlock.h */
const AMBIENT: Table = {
  PR_CAP_AMBIENT_IS_SET: 1,
  PR_CAP_AMBIENT_RAISE: 2,
  PR_CAP_AMBIENT_LOWER: 3,
  PR_CAP_AMBIENT_CLEAR_ALL: 4,
};
const BOUNDING: Table = { PR_CAPBSET_READ: 23, PR_CAPBSET_DROP: 24 };
const SECCOMP: Table = { SECCOMP_SET_MODE_STRICT: 0, SECCOMP_SET_MODE_FILTER: 1 };
const SECCOMP_FLAGS: Table = {
  SECCOMP_FILTER_FLAG_TSYNC: 1,
  SECCOMP_FILTER_FLAG_LOG: 2,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 4,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: 32,
};
const KEYCTL: Table = { KEYCTL_JOIN_SESSION_KEYRING: 1 };
export const LANDLOCK_RULE = { LANDLOCK_RULE_PATH_BENEATH: 1, LANDLOCK_RULE_NET_PORT: 2 };
const IPPROTO: Table = { IPPROTO_IP: 0 };
const NETLINK: Table = { NETLINK_ROUTE: 0 };

const one =
  (table: Table): Word =>
  (value) =>
    Object.keys(table).find((name) => table[name] === value) ?? String(value);
const bits =
  (table: Table): Word =>
  (value) =>
    names(table, value);
const octal: Word = (value) => `0${value.toString(8).padStart(2, "0")}`;
/** A pointer that is not given. */
const pointer: Word = (value) => (value === 0 ? "NULL" : String(value));
/** An unsigned 32-bit argument. */
const unsigned: Word = (value) => String(value >>> 0);
const directory: Word = (value) => (value === -100 ? "AT_FDCWD" : String(value));
const socketType: Word = (value) => {
  const flags = value & ~0xf;
  return one(SOCK)(value & 0xf) + (flags ? `|${names(SOCK_FLAGS, flags)}` : "");
};
const fileMode: Word = (value) => {
  const type = value & S.S_IFMT;
  const word = Object.entries(S).find(([name, bit]) => name !== "S_IFMT" && bit === type)?.[0];
  return (word ? `${word}|` : "") + octal(value & ~S.S_IFMT);
};
/** makedev(3) of a number as mknod(2) takes it; the kernel's low 8 bits are the minor one's. */
const device: Word = (value) => {
  const hex = (n: number) => (n === 0 ? "0" : `0x${n.toString(16)}`);
  return `makedev(${hex(value >> 8)}, ${hex(value & 0xff)})`;
};
const cloneWord: Word = (value) => [...(value & ~0xff ? [names(CLONE, value & ~0xff)] : []), "SIGCHLD"].join("|");
const signal: Word = (value) => {
  const name = one(SIGNALS)(value);
  return name === String(value) ? name : `SIG${name}`;
};
const capability: Word = (value) => CAPABILITIES[value] ?? String(value);
const limit: Word = (value) => `RLIMIT_${one(RLIMIT)(value).toUpperCase()}`;

/** For each call, what its arguments are; undefined: a plain number. */
const ARGUMENTS: Readonly<Record<string, readonly (Word | undefined)[]>> = {
  close_range: [undefined, unsigned, undefined],
  clone: [cloneWord, pointer, pointer, pointer, pointer],
  dup3: [undefined, undefined, openBits],
  eventfd2: [undefined, bits({ EFD_CLOEXEC: 0x80000 })],
  fchownat: [directory, undefined, undefined, undefined, bits(AT)],
  fcntl: [undefined, one(FCNTL)],
  fsconfig: [undefined, one(FSCONFIG)],
  fsmount: [undefined, bits({ FSMOUNT_CLOEXEC: 1 }), bits(MOUNT_ATTR)],
  fsopen: [undefined, bits({ FSOPEN_CLOEXEC: 1 })],
  ioctl: [undefined, one(IOCTL)],
  keyctl: [one(KEYCTL)],
  landlock_add_rule: [undefined, one(LANDLOCK_RULE)],
  mkdirat: [directory, undefined, octal],
  mknodat: [directory, undefined, fileMode, device],
  mount: [undefined, undefined, undefined, bits(MS)],
  mount_setattr: [directory, undefined, bits({ AT_EMPTY_PATH: AT.AT_EMPTY_PATH, AT_RECURSIVE: AT.AT_RECURSIVE })],
  move_mount: [directory, undefined, directory, undefined, bits(MOVE_MOUNT)],
  open_tree: [directory, undefined, bits({ ...OPEN_TREE, AT_EMPTY_PATH: AT.AT_EMPTY_PATH })],
  openat: [directory, undefined, openNames, octal],
  openat2: [directory],
  pipe2: [undefined, openBits],
  prctl: [one({ ...PR, ...BOUNDING })],
  prlimit64: [undefined, limit, undefined, pointer],
  recvmsg: [undefined, undefined, bits(MSG)],
  rt_sigprocmask: [one(HOW), undefined, pointer],
  seccomp: [one(SECCOMP), bits(SECCOMP_FLAGS)],
  sendmsg: [undefined, undefined, bits(MSG)],
  sendto: [undefined, undefined, undefined, bits(MSG), pointer],
  setns: [undefined, bits(CLONE)],
  socket: [one(AF), socketType],
  socketpair: [one(AF), socketType],
  symlinkat: [undefined, directory],
  umask: [octal],
  umount2: [undefined, bits(MNT)],
  unlinkat: [directory, undefined, bits({ AT_REMOVEDIR: AT.AT_REMOVEDIR })],
  unshare: [bits(CLONE)],
};

function openBits(value: number): string {
  return value === 0 ? "0" : openNames(value).replace("O_RDONLY|", "");
}

/** Arguments that depend on another one: prctl's and ioctl's on the operation, socket's protocol on the family. */
function dependent(call: string, args: readonly unknown[], index: number): Word | undefined {
  if (call === "prctl" && index === 1) {
    if (args[0] === PR.PR_SET_PDEATHSIG) return signal;
    if (args[0] === PR.PR_SET_DUMPABLE) return one(DUMPABLE);
    if (args[0] === PR.PR_CAP_AMBIENT) return one(AMBIENT);
    if (Object.values(BOUNDING).includes(args[0] as number)) return capability;
  }
  if (call === "prctl" && index === 2 && args[0] === PR.PR_CAP_AMBIENT) return capability;
  if (call === "ioctl" && index === 2 && args[1] === IOCTL.TIOCGPTPEER) return (value) => `0x${value.toString(16)}`;
  if (call === "fcntl" && index === 2 && args[1] === FCNTL.F_SETFD) return bits(FD);
  if (call === "socket" && index === 2) return one(args[0] === 16 ? NETLINK : IPPROTO);
  return undefined;
}

/** The constants that the number `value`, argument `index` of `call`, stands for; undefined where it is just a number. */
export function wordFor(call: string, args: readonly unknown[], index: number, value: number): string | undefined {
  const word = dependent(call, args, index) ?? ARGUMENTS[call]?.[index];
  const text = word?.(value);
  return text === String(value) ? undefined : text;
}
