/**
 * The default seccomp policy, moby's in its shape: calls that programs need are allowed, dangerous ones get EPERM unless a
 * capability says that they are wanted, and what is neither (a kernel's newest calls) gets ENOSYS, so that libcs fall back.
 */
import type { Arch } from "../ffi/abi.ts";
import { CLONE, PR } from "../ffi/flags.ts";
import { unistd } from "../ffi/unistd.ts";
import { RET } from "./bpf.ts";
import { always, type Condition, type Decision, INT, type Policy } from "./policy.ts";

const EPERM = RET.ERRNO | 1;
const ENOSYS = RET.ERRNO | 38;
/** What a kernel without that protocol says: programs go on without it. */
const EAFNOSUPPORT = RET.ERRNO | 97;

const words = (text: string): string[] => text.trim().split(/\s+/);

export const ALLOWED = words(`
  accept accept4 access adjtimex alarm arch_prctl bind brk cachestat capget capset chdir chmod chown clock_adjtime
  clock_getres clock_gettime clock_nanosleep close close_range connect copy_file_range creat dup dup2 dup3 epoll_create
  epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2 execve execveat exit exit_group faccessat
  faccessat2 fadvise64 fallocate fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr
  flistxattr flock fork fremovexattr fsetxattr fstat fstatfs fsync ftruncate futex futex_requeue futex_wait futex_waitv
  futex_wake futimesat get_robust_list get_thread_area getcpu getcwd getdents getdents64 getegid geteuid getgid getgroups
  getitimer getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid getresuid getrlimit getrusage getsid
  getsockname getsockopt gettid gettimeofday getuid getxattr getxattrat inotify_add_watch inotify_init inotify_init1
  inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit ioprio_get ioprio_set kill
  landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown lgetxattr link linkat listen listmount listxattr
  listxattrat llistxattr lremovexattr lseek lsetxattr lstat madvise map_shadow_stack membarrier memfd_create memfd_secret
  mincore mkdir mkdirat mknod mknodat mlock mlock2 mlockall mmap modify_ldt mprotect mq_getsetattr mq_notify mq_open
  mq_timedreceive mq_timedsend mq_unlink mremap mseal msgctl msgget msgrcv msgsnd msync munlock munlockall munmap
  name_to_handle_at nanosleep newfstatat open openat openat2 pause pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc
  pkey_free pkey_mprotect poll ppoll prctl pread64 preadv preadv2 prlimit64 process_mrelease process_vm_readv
  process_vm_writev pselect6 ptrace pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv recvfrom recvmmsg
  recvmsg remap_file_pages removexattr removexattrat rename renameat renameat2 restart_syscall rmdir rseq rt_sigaction
  rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo
  sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler
  sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield seccomp select semctl
  semget semop semtimedop sendfile sendmmsg sendmsg sendto set_robust_list set_thread_area set_tid_address setfsgid setfsuid
  setgid setgroups setitimer setpgid setpriority setregid setresgid setresuid setreuid setrlimit setsid setsockopt setuid
  setxattr setxattrat shmat shmctl shmdt shmget shutdown sigaltstack signalfd signalfd4 socketpair splice stat statfs
  statmount statx symlink symlinkat sync sync_file_range syncfs sysinfo tee tgkill time timer_create timer_delete
  timer_getoverrun timer_gettime timer_settime timerfd_create timerfd_gettime timerfd_settime times tkill truncate umask
  uname unlink unlinkat uprobe uretprobe utime utimensat utimes vfork vmsplice wait4 waitid write writev`);

/** Never: nothing in a container needs them, and each has led out of one or crashed a kernel. */
export const REFUSED = words(`
  add_key io_uring_enter io_uring_register io_uring_setup kexec_file_load kexec_load keyctl migrate_pages move_pages
  nfsservctl request_key swapoff swapon userfaultfd uselib`);

/** Refused unless the container has the capability: then the kernel's own check is the one that counts. */
export const BY_CAPABILITY: Readonly<Record<string, readonly string[]>> = {
  CAP_BPF: ["bpf"],
  CAP_DAC_READ_SEARCH: ["open_by_handle_at"],
  CAP_PERFMON: ["perf_event_open"],
  CAP_SYS_ADMIN: words(`bpf fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr lsm_list_modules
    lsm_set_self_attr mount mount_setattr move_mount open_tree open_tree_attr perf_event_open pivot_root quotactl quotactl_fd
    setdomainname sethostname setns syslog umount2`),
  CAP_SYS_BOOT: ["reboot"],
  CAP_SYS_CHROOT: ["chroot"],
  CAP_SYS_MODULE: words("delete_module finit_module init_module"),
  CAP_SYS_NICE: words("get_mempolicy mbind set_mempolicy set_mempolicy_home_node"),
  CAP_SYS_PACCT: ["acct"],
  CAP_SYS_PTRACE: words("kcmp pidfd_getfd process_madvise"),
  CAP_SYS_RAWIO: words("ioperm iopl"),
  CAP_SYS_TIME: words("clock_settime settimeofday"),
  CAP_SYS_TTY_CONFIG: ["vhangup"],
  CAP_SYSLOG: ["syslog"],
};

const int = (arg: number, op: Condition["op"], value: number): Condition => ({ arg, op, value: BigInt(value), mask: INT });
const noneOf = (arg: number, bits: number): Condition => ({ arg, op: "eq", value: 0n, mask: BigInt(bits) });
const allowIf = (refusal: number, ...cases: Condition[][]): Decision => ({
  cases: cases.map((when) => ({ when, action: RET.ALLOW })),
  otherwise: refusal,
});

const NAMESPACES =
  CLONE.CLONE_NEWNS +
  CLONE.CLONE_NEWCGROUP +
  CLONE.CLONE_NEWUTS +
  CLONE.CLONE_NEWIPC +
  CLONE.CLONE_NEWUSER +
  CLONE.CLONE_NEWPID +
  CLONE.CLONE_NEWNET;

/** linux/socket.h. Left out: DECnet 12, Econet 19, ATMSVC 20, IrDA 23, WANPIPE 25, IUCV 34, CAIF 37, AF_ALG 38, AF_VSOCK 40. */
const FAMILIES = [[0, 11], [13, 18], [21, 22], [24, 24], [26, 33], [35, 36], [39, 39], [41, 45]] as const; // biome-ignore format: a table

/** linux/personality.h: PER_LINUX, PER_LINUX32, UNAME26, both, and "only tell". No address layout without randomness. */
const PERSONALITIES = [0, 0x8, 0x20000, 0x20008, 0xffffffff];

/** asm-generic/ioctls.h: typing into a terminal, and the console's paste (CVE-2017-5226, CVE-2023-28100). */
const TYPING = { TIOCSTI: 0x5412, TIOCLINUX: 0x541c };

/** Calls that are fine or not by their arguments. All are ints to the kernel: garbage in the high words must not matter. */
const BY_ARGUMENT: Readonly<Record<string, Decision>> = {
  clone: allowIf(EPERM, [noneOf(0, NAMESPACES)]),
  unshare: allowIf(EPERM, [noneOf(0, NAMESPACES + CLONE.CLONE_NEWTIME)]),
  // a filter cannot look into its struct; libcs fall back to clone
  clone3: always(ENOSYS),
  socket: allowIf(EAFNOSUPPORT, ...FAMILIES.map(([from, to]) => [int(0, "ge", from), int(0, "le", to)])),
  personality: allowIf(EPERM, ...PERSONALITIES.map((value) => [int(0, "eq", value)])),
  ioctl: {
    cases: Object.values(TYPING).map((request) => ({ when: [int(1, "eq", request)], action: EPERM })),
    otherwise: RET.ALLOW,
  },
};

/** For a container whose bounding set is `capabilities` (CAP_… names). */
export function defaultPolicy(arch: Arch, capabilities: ReadonlySet<string>): Policy {
  const decisions = new Map<string, Decision>();
  const put = (names: readonly string[], decision: Decision) => {
    for (const name of names) decisions.set(name, decision);
  };
  put(ALLOWED, always(RET.ALLOW));
  put(REFUSED, always(EPERM));
  for (const [name, decision] of Object.entries(BY_ARGUMENT)) decisions.set(name, decision);
  const conditional = Object.entries(BY_CAPABILITY);
  for (const [, names] of conditional) put(names, always(EPERM));
  for (const [capability, names] of conditional) if (capabilities.has(capability)) put(names, always(RET.ALLOW));
  if (capabilities.has("CAP_SYS_ADMIN")) put(["clone", "clone3", "unshare"], always(RET.ALLOW));
  const calls = new Map<number, Decision>();
  for (const [name, number] of unistd(arch)) {
    const decision = decisions.get(name);
    if (decision) calls.set(number, decision);
  }
  return { calls, otherwise: ENOSYS };
}

/** What is left to nsrun's pid 1 when it only reaps: whoever could trace it gains nothing. */
export function initPolicy(arch: Arch): Policy {
  const numbers = unistd(arch);
  const names = words("exit_group kill munmap restart_syscall rt_sigtimedwait sendto wait4");
  const calls = new Map(names.map((name) => [numbers.get(name)!, always(RET.ALLOW)]));
  calls.set(numbers.get("prctl")!, allowIf(EPERM, [int(0, "eq", PR.PR_SET_DUMPABLE)]));
  return { calls, otherwise: EPERM };
}
