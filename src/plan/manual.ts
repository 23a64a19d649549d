/** Where a step is explained: the man page that says most about it, and a reason where the plan gives none of its own. */
import type { SyscallStep } from "./step.ts";
import type { TimelineStep } from "./timeline.ts";

type Page = readonly [page: string, reason: string];

/** By call, for all uses of it that have no better entry in {@link SPECIAL}. Section 2 where none is named. */
const PAGES: Readonly<Record<string, Page>> = {
  chdir: ["chdir(2)", "relative paths and the command begin there"],
  chroot: ["chroot(2)", "paths begin there from now on"],
  clone: ["clone(2), namespaces(7)", "a new process, in the new namespaces that its flags name"],
  clone3: ["clone3(2), cgroups(7)", "a new process, in new namespaces and in the cgroup: never outside of it"],
  close: ["close(2)", "nobody after us shall hold it"],
  close_range: ["close_range(2)", "what is not open cannot leak"],
  dup3: ["dup(2)", "later steps know it by this number; there is one register only"],
  eventfd2: ["eventfd(2)", "a number that somebody waits for"],
  execve: ["execve(2)", "from here on the process is the command"],
  exit_group: ["exit_group(2)", "its work is done"],
  fchdir: ["chdir(2)", "a descriptor cannot be exchanged behind our back as a path can"],
  fchownat: ["chown(2)", "root inside is another user outside, who must own what it is to write"],
  fcntl: ["fcntl(2)", "its end at the exec tells that the command has begun"],
  fsconfig: ["fsconfig(2)", "an option of the file system to be"],
  fsmount: ["fsmount(2)", "a mount without a place: the host never sees it"],
  fsopen: ["fsopen(2)", "a file system that is made step by step, without a mount point on the host"],
  getxattr: ["getxattr(2), tmpfs(5)", "overlay keeps what it must know in attributes of the layer"],
  getpid: ["getpid(2)", "pidfd_open wants a number"],
  guard: ["poll(2), PR_SET_PDEATHSIG(2const)", "it may have died before the signal was asked for"],
  ioctl: ["ioctl(2)", "the device's own request"],
  mkdirat: ["mkdir(2)", "a place for what comes later"],
  mknodat: ["mknod(2)", "programs expect it"],
  mount: ["mount(2), mount_namespaces(7)", "seen in this mount namespace only"],
  mount_setattr: ["mount_setattr(2)", "attributes of the mount before anybody can use it"],
  move_mount: ["move_mount(2)", "the mount gets its place"],
  open_tree: ["open_tree(2)", "a copy of the mount, attached nowhere yet"],
  openat: ["open(2)", "a descriptor for later steps"],
  openat2: ["openat2(2)", "links of the root are followed inside it only"],
  pidfd_open: ["pidfd_open(2)", "a descriptor means this process for ever, a pid may be given to another"],
  pipe2: ["pipe(2)", "one byte, or its end, is the message"],
  pivot_root: ["pivot_root(2)", "the old root lands on top of the new one"],
  prctl: ["prctl(2)", "an attribute of this process"],
  prlimit64: ["getrlimit(2)", "as asked with --ulimit"],
  read: ["read(2)", "whoever waits here goes on when the other side has said so"],
  bound_capabilities: ["PR_CAPBSET_DROP(2const), capabilities(7)", "what is not in the bounding set can never be gained"],
  capset: ["capset(2), capabilities(7)", "the command has no more than it was given"],
  keyctl: ["keyctl(2), session-keyring(7)", "the caller's keys are not the command's"],
  landlock_add_rule: ["landlock_add_rule(2), landlock(7)", "what is not allowed by a rule is refused"],
  landlock_create_ruleset: ["landlock_create_ruleset(2), landlock(7)", "what is named here is refused unless a rule allows it"],
  landlock_restrict_self: ["landlock_restrict_self(2), landlock(7)", "from here on the rules hold, and can only become tighter"],
  descriptors: ["F_GETFD(2const)", "a descriptor of the host's that stays open would be the command's"],
  says: ["proc_pid_status(5), pread(2)", "a call that said it was done is not believed: the kernel is asked"],
  at_root: ["getcwd(2)", "a call that said it was done is not believed: the kernel is asked"],
  on_mounts: ["statx(2)", "a link of the rootfs must not lead a volume onto another mount (CVE-2019-19921, CVE-2023-27561)"],
  rooted: ["getcwd(2)", "a directory that the root does not lead to is one of the host's (CVE-2024-21626)"],
  seccomp: ["seccomp(2)", "from here on calls that are not allowed are refused"],
  reap: ["wait(2), sigwaitinfo(2), pid_namespaces(7)", "pid 1 inherits all orphans; unreaped they stay zombies"],
  recvmsg: ["recvmsg(2), unix(7)", "descriptors travel over a socket"],
  reset_signals: ["sigaction(2), signal(7)", "an ignored signal stays ignored over exec"],
  restore_terminal: ["ioctl_tty(2), termios(3)", "should nsrun be dead, nobody else would do it"],
  rt_sigprocmask: ["sigprocmask(2)", "they were blocked until now so that none is lost"],
  sendmsg: ["sendmsg(2), unix(7)", "descriptors travel over a socket"],
  sendto: ["send(2)", "the supervisor hears of it"],
  setgroups: ["setgroups(2)", "while we still may: the user goes last"],
  setdomainname: ["setdomainname(2), uts_namespaces(7)", "in the container's own uts namespace"],
  sethostname: ["sethostname(2), uts_namespaces(7)", "in the container's own uts namespace"],
  setns: ["setns(2), namespaces(7)", "an existing namespace rather than a new one"],
  setresgid: ["setresuid(2)", "real, effective and saved; the group before the user, while we still may"],
  setresuid: ["setresuid(2)", "real, effective and saved: no way back"],
  setsid: ["setsid(2)", "a session without a controlling terminal"],
  socket: ["socket(2)", "the way to the kernel's network"],
  socketpair: ["socketpair(2)", "two ends that only we have"],
  sweep: ["kill(2), PR_SET_CHILD_SUBREAPER(2const)", "no process of the container outlives it"],
  symlinkat: ["symlink(2)", "programs expect it"],
  umask: ["umask(2)", "modes are meant literally"],
  umount2: ["umount(2)", "nothing of the host is left in this namespace"],
  unlinkat: ["unlink(2)", "not needed any more"],
  unshare: ["unshare(2), namespaces(7)", "a new namespace for this process or its children"],
  watch: ["poll(2), pidfd_open(2)", "whoever dies first, nothing is left: its end ends the container"],
  write: ["write(2)", "the file is the kernel's interface"],
};

/** First match wins: what a text in the step's arguments says about it. */
const SPECIAL: readonly (readonly [call: string, word: string | number, page: string])[] = [
  ["mount", "proc", "mount(2), proc(5)"],
  ["mount", "sysfs", "mount(2), sysfs(5)"],
  ["mount", "devpts", "mount(2), pts(4)"],
  ["mount", "tmpfs", "mount(2), tmpfs(5)"],
  ["mount", "mqueue", "mount(2), mq_overview(7)"],
  ["mount", "overlay", "mount(2), Documentation/filesystems/overlayfs"],
  ["fsopen", "proc", "fsopen(2), proc(5)"],
  ["fsopen", "sysfs", "fsopen(2), sysfs(5)"],
  ["fsopen", "tmpfs", "fsopen(2), tmpfs(5)"],
  ["fsopen", "overlay", "fsopen(2), Documentation/filesystems/overlayfs"],
  ["openat", "/proc/self/timens_offsets", "time_namespaces(7)"],
  ["unshare", 0x80, "unshare(2), time_namespaces(7)"],
  ["ioctl", 0x8914, "netdevice(7)"],
  ["ioctl", 0x5402, "ioctl_tty(2), termios(3)"],
  ["ioctl", 0x540e, "ioctl_tty(2), credentials(7)"],
  ["ioctl", 0x5414, "ioctl_tty(2)"],
  ["ioctl", 0x40045431, "ioctl_tty(2), pts(4)"],
  ["ioctl", 0x5441, "ioctl_tty(2), pts(4)"],
  ["prctl", 1, "PR_SET_PDEATHSIG(2const)"],
  ["prctl", 4, "PR_SET_DUMPABLE(2const)"],
  ["prctl", 8, "PR_SET_KEEPCAPS(2const)"],
  ["prctl", 38, "PR_SET_NO_NEW_PRIVS(2const)"],
  ["prctl", 47, "PR_CAP_AMBIENT(2const), capabilities(7)"],
  ["prctl", 15, "PR_SET_NAME(2const)"],
  ["prctl", 21, "PR_GET_SECCOMP(2const)"],
  ["prctl", 36, "PR_SET_CHILD_SUBREAPER(2const)"],
  ["socket", 16, "rtnetlink(7)"],
];

function special({ call, args }: SyscallStep): string | undefined {
  const path = args.find((arg) => typeof arg === "object" && arg !== null && "template" in arg);
  if (path && "template" in path && call === "openat") {
    const file = path.template.at(-1);
    if (file === "/ns/net") return "network_namespaces(7)";
    return "user_namespaces(7)";
  }
  const operation = args[call === "ioctl" ? 1 : 0];
  return SPECIAL.find(
    ([name, word]) => name === call && (typeof word === "number" ? operation === word : args.includes(word)),
  )?.[2];
}

const IP: Readonly<Record<string, string>> = { link: "ip-link(8)", address: "ip-address(8)", route: "ip-route(8)" };

/** `mount(2), proc(5)` */
export function manPage(step: TimelineStep): string {
  if ("verb" in step) return `${IP[step.verb.verb.split(" ")[0]!] ?? "ip(8)"}, rtnetlink(7)`;
  if ("programs" in step) return "newuidmap(1), user_namespaces(7)";
  if ("relay" in step) return "slirp4netns(1)";
  if ("fixed" in step) return step.fixed === "go" ? "send(2)" : "memfd_create(2), clone(2), execveat(2)";
  return special(step) ?? PAGES[step.call]?.[0] ?? `${step.call}(2)`;
}

/** The plan's own reason, or the one that every such call has. */
export function reason(step: TimelineStep): string | undefined {
  if (step.why !== undefined) return step.why;
  if ("verb" in step) return "as ip(8) does it, by one rtnetlink message";
  return "call" in step ? PAGES[step.call]?.[1] : undefined;
}
