/**
 * System call numbers, [x86_64, aarch64]: asm/unistd_64.h and asm-generic/unistd.h. The only place that knows them.
 */
export const ARCHES = ["x64", "arm64"] as const;
export type Arch = (typeof ARCHES)[number];

/** The machine we run on; everything else in nsrun asks here. */
export const ARCH: Arch = process.arch === "arm64" ? "arm64" : "x64";

const TABLE = {
  read: [0, 63],
  write: [1, 64],
  close: [3, 57],
  fstat: [5, 80],
  lseek: [8, 62],
  mmap: [9, 222],
  mprotect: [10, 226],
  munmap: [11, 215],
  clock_gettime: [228, 113],
  rt_sigaction: [13, 134],
  rt_sigprocmask: [14, 135],
  rt_sigtimedwait: [128, 137],
  ioctl: [16, 29],
  pipe2: [293, 59],
  eventfd2: [290, 19],
  dup3: [292, 24],
  sendto: [44, 206],
  recvfrom: [45, 207],
  sendmsg: [46, 211],
  recvmsg: [47, 212],
  socket: [41, 198],
  socketpair: [53, 199],
  bind: [49, 200],
  connect: [42, 203],
  getsockname: [51, 204],
  setsockopt: [54, 208],
  shutdown: [48, 210],
  clone: [56, 220],
  clone3: [435, 435],
  execve: [59, 221],
  execveat: [322, 281],
  exit: [60, 93],
  exit_group: [231, 94],
  wait4: [61, 260],
  waitid: [247, 95],
  kill: [62, 129],
  uname: [63, 160],
  fcntl: [72, 25],
  getcwd: [79, 17],
  chdir: [80, 49],
  fchdir: [81, 50],
  mkdirat: [258, 34],
  mknodat: [259, 33],
  unlinkat: [263, 35],
  symlinkat: [266, 36],
  linkat: [265, 37],
  renameat2: [316, 276],
  fchmodat: [268, 53],
  fchmod: [91, 52],
  fchownat: [260, 54],
  fchown: [93, 55],
  openat: [257, 56],
  openat2: [437, 437],
  readlinkat: [267, 78],
  newfstatat: [262, 79],
  statx: [332, 291],
  umask: [95, 166],
  getuid: [102, 174],
  getgid: [104, 176],
  geteuid: [107, 175],
  getegid: [108, 177],
  setgroups: [116, 159],
  getgroups: [115, 158],
  setresuid: [117, 147],
  setresgid: [119, 149],
  setsid: [112, 157],
  getpid: [39, 172],
  getppid: [110, 173],
  gettid: [186, 178],
  prctl: [157, 167],
  capget: [125, 90],
  capset: [126, 91],
  prlimit64: [302, 261],
  chroot: [161, 51],
  pivot_root: [155, 41],
  mount: [165, 40],
  umount2: [166, 39],
  sethostname: [170, 161],
  setdomainname: [171, 162],
  unshare: [272, 97],
  setns: [308, 268],
  pidfd_open: [434, 434],
  pidfd_send_signal: [424, 424],
  pidfd_getfd: [438, 438],
  close_range: [436, 436],
  fsopen: [430, 430],
  fsconfig: [431, 431],
  fsmount: [432, 432],
  fspick: [433, 433],
  open_tree: [428, 428],
  move_mount: [429, 429],
  mount_setattr: [442, 442],
  memfd_create: [319, 279],
  ftruncate: [77, 46],
  utimensat: [280, 88],
  flock: [73, 32],
  faccessat2: [439, 439],
  ppoll: [271, 73],
  signalfd4: [289, 74],
  seccomp: [317, 277],
  keyctl: [250, 219],
  msgget: [68, 186],
  getdents64: [217, 61],
  pread64: [17, 67],
  setxattr: [188, 5],
  lsetxattr: [189, 6],
  fsetxattr: [190, 7],
  getxattr: [191, 8],
  statfs: [137, 43],
  fstatfs: [138, 44],
  sync_file_range: [277, 84],
  syncfs: [306, 267],
  fsync: [74, 82],
  tgkill: [234, 131],
  sched_yield: [24, 124],
  getrandom: [318, 278],
  landlock_create_ruleset: [444, 444],
  landlock_add_rule: [445, 445],
  landlock_restrict_self: [446, 446],
} as const satisfies Record<string, readonly [number, number]>;

export type SyscallName = keyof typeof TABLE;

/** The number of a system call on `arch`. */
export function syscallNumber(name: SyscallName, arch: Arch = ARCH): number {
  return TABLE[name][arch === "x64" ? 0 : 1];
}

/** The name of a system call number, for messages. */
export function syscallName(nr: number, arch: Arch = ARCH): string {
  const column = arch === "x64" ? 0 : 1;
  for (const [name, row] of Object.entries(TABLE)) if (row[column] === nr) return name;
  return `syscall_${nr}`;
}

/** ELF e_machine (elf.h): EM_X86_64, EM_AARCH64. */
export const ELF_MACHINE: Record<Arch, number> = { x64: 62, arm64: 183 };

/** O_DIRECTORY and O_NOFOLLOW differ (asm/fcntl.h). */
export const O_DIRECTORY = ARCH === "arm64" ? 0x4000 : 0x10000;
export const O_NOFOLLOW = ARCH === "arm64" ? 0x8000 : 0x20000;
