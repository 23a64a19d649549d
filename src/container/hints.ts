/** Where an errno misleads: its likely cause, found by looking, and the remedy. */
import { errnoName } from "../ffi/errno.ts";
import { CLONE } from "../ffi/flags.ts";
import { sys } from "../ffi/syscall.ts";
import type { SyscallStep } from "../plan/step.ts";
import { appArmorHint, cloneHint, procHint } from "./refusals.ts";

type Rule = readonly [call: string, code: string, hint: (step: SyscallStep) => string | undefined];

const text = (hint: string) => () => hint;

/** First match wins; `*` is any errno. */
const RULES: readonly Rule[] = [
  ["unshare", "ENOSPC", () => cloneHint(CLONE.CLONE_NEWTIME, "ENOSPC")],
  ["unshare", "EPERM", text("a new time namespace needs root, or a user namespace: --unshare user")],
  [
    "setns",
    "EPERM",
    text("joining needs CAP_SYS_ADMIN in the user namespace that owns the target: join that one as well with --join user=…"),
  ],
  ["setns", "EINVAL", text("the file is no namespace of that type, or it is the user namespace we are in")],
  ["openat2", "ELOOP", text("a symbolic link lies in the way; nsrun does not follow it")],
  ["openat2", "ENOTDIR", text("the rootfs has something else than a directory there")],
  ["mkdirat", "EROFS", text("the directory for the mount is missing and its file system is read-only")],
  ["mkdirat", "ENOSPC", text("no space for the container's directories")],
  ["move_mount", "EINVAL", text("a file can only be mounted on a file, a directory on a directory")],
  ["*", "EMFILE", text("the limit of open files is reached: raise it with ulimit -n")],
  ["*", "ENFILE", text("the machine's limit of open files is reached: sysctl fs.file-max")],
  ["pivot_root", "EINVAL", text("the root may be an initramfs (rootfs), which cannot be left by pivot_root: use --chroot")],
  ["sethostname", "EINVAL", text("a host name has at most 64 bytes")],
  ["prlimit64", "EPERM", text("a hard limit can only be lowered without CAP_SYS_RESOURCE")],
  ["bound_capabilities", "EPERM", text("giving capabilities up needs CAP_SETPCAP")],
  ["capset", "EPERM", text("you cannot give capabilities that you do not have yourself")],
  ["keyctl", "EDQUOT", text("each container has a keyring, and your quota of keys is used up (sysctl kernel.keys.maxkeys)")],
  ["keyctl", "EPERM", text("an outer container forbids keyrings: --no-new-keyring goes without one")],
  ["seccomp", "EACCES", text("without CAP_SYS_ADMIN a filter needs no_new_privs: not with --new-privileges")],
  ["seccomp", "EINVAL", text("this kernel has no system call filters (CONFIG_SECCOMP_FILTER): --seccomp none goes without")],
  ["seccomp", "ENOSYS", text("this kernel has no seccomp(2): --seccomp none goes without a filter")],
  ["setresuid", "EINVAL", text("that user is not mapped in the user namespace")],
  ["setresgid", "EINVAL", text("that group is not mapped in the user namespace")],
  ["setgroups", "EPERM", text("setgroups is denied in this user namespace")],
];

/** Root outside is not restricted. */
const appArmor = (): string | undefined => (sys("geteuid") === 0 ? undefined : appArmorHint());

/** The second line of the error for `step`, or undefined where the errno says it all. */
export function hintFor(step: SyscallStep, errno: number): string | undefined {
  const code = errnoName(errno);
  if (step.call === "clone") return cloneHint(step.args[0] as number, code);
  if (step.call === "fsmount" && code === "EPERM" && step.label === "mount proc") {
    return appArmor() ?? procHint();
  }
  const denied = code === "EPERM" || code === "EACCES" ? appArmor() : undefined;
  if (denied && (step.lane === "container" || step.label.includes("_map"))) return denied;
  if (step.call === "mount" && code === "EACCES" && step.args[2] === "overlay")
    return "root inside must be able to read the rootfs: with --uid-map it may be another than you";
  if (step.call === "mount" && code === "EPERM" && step.args[2] === "overlay")
    return "overlay in a user namespace needs Linux 5.11; without it: --rw --rootfs DIR, a directory of yours that is written in place";
  if (
    step.call === "mount" &&
    code === "EINVAL" &&
    step.args[2] === "overlay" &&
    String(step.args[4]).startsWith("lowerdir=/,")
  ) {
    return "without root the host's root cannot be a lower layer: mounts lie below it; name a directory, such as --rootfs /some/tree";
  }
  if (step.call === "mount" && code === "ENODEV") return `this kernel has no file system ${String(step.args[2])}`;
  return RULES.find(([call, name]) => (call === step.call || call === "*") && (name === code || name === "*"))?.[2](step);
}
