/** Where an errno misleads: its likely cause, found by looking, and the remedy. */
import { errnoName } from "../ffi/errno.ts";
import { readText } from "../ffi/file.ts";
import { CLONE } from "../ffi/flags.ts";
import type { SyscallStep } from "../plan/step.ts";

function read(path: string): string | undefined {
  const text = readText(path);
  return typeof text === "number" ? undefined : text.trim();
}

const LIMITS: readonly (readonly [number, string])[] = [
  [CLONE.CLONE_NEWUSER, "max_user_namespaces"],
  [CLONE.CLONE_NEWPID, "max_pid_namespaces"],
  [CLONE.CLONE_NEWNET, "max_net_namespaces"],
  [CLONE.CLONE_NEWNS, "max_mnt_namespaces"],
  [CLONE.CLONE_NEWUTS, "max_uts_namespaces"],
  [CLONE.CLONE_NEWIPC, "max_ipc_namespaces"],
  [CLONE.CLONE_NEWCGROUP, "max_cgroup_namespaces"],
  [CLONE.CLONE_NEWTIME, "max_time_namespaces"],
];

/** clone(2): which of the knobs that forbid namespaces is turned. */
function cloneHint(flags: number, code: string): string | undefined {
  if (code === "ENOSPC" || code === "EUSERS") {
    for (const [flag, name] of LIMITS) {
      if ((flags & flag) !== 0 && read(`/proc/sys/user/${name}`) === "0") {
        return `user.${name} is 0 here: no such namespace may be made; raise it with: sysctl user.${name}=1000`;
      }
    }
    return "a limit of namespaces is reached: see user.max_*_namespaces in /proc/sys/user (a dead network namespace counts until the kernel has cleaned it up)";
  }
  if (code !== "EPERM") return undefined;
  if ((flags & CLONE.CLONE_NEWUSER) === 0) return "new namespaces need root, or a user namespace: --unshare user";
  if (read("/proc/sys/kernel/unprivileged_userns_clone") === "0") {
    return "user namespaces are refused to ordinary users: sysctl kernel.unprivileged_userns_clone=1";
  }
  if (read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") === "1") {
    return "AppArmor restricts user namespaces: sysctl kernel.apparmor_restrict_unprivileged_userns=0, or a profile for nsrun";
  }
  return "user namespaces are refused here (a seccomp filter, a chroot, or a policy of an outer container)";
}

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
  ["setresuid", "EINVAL", text("that user is not mapped in the user namespace")],
  ["setresgid", "EINVAL", text("that group is not mapped in the user namespace")],
  ["setgroups", "EPERM", text("setgroups is denied in this user namespace")],
];

/** The second line of the error for `step`, or undefined where the errno says it all. */
export function hintFor(step: SyscallStep, errno: number): string | undefined {
  const code = errnoName(errno);
  if (step.call === "clone") return cloneHint(step.args[0] as number, code);
  if (step.call === "mount" && code === "EPERM" && step.args[2] === "proc") {
    return "an outer container has masked parts of its /proc: the kernel refuses a fresh one in a user namespace";
  }
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
