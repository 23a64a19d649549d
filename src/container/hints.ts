/**
 * The catalogue: where an errno misleads, its likely cause, found by looking, and the remedy. Loaded only when a call has
 * failed. test/live/catalogue.test.ts provokes every row; what src/net knows is in src/net/failure.ts, of exec in explain.ts.
 */
import type { FailedCall } from "../errors.ts";
import { errnoName } from "../ffi/errno.ts";
import { CLONE, MS } from "../ffi/flags.ts";
import { sys } from "../ffi/syscall.ts";
import { chrootHint, idMapHint, lacks, mountLimitHint, mountPermissionHint, openFilesHint, sysHint } from "./causes.ts";
import { appArmorHint, cloneHint, procHint } from "./refusals.ts";

/** A hint that does not apply after a look is undefined: then the next row has its turn. */
export type Rule = readonly [call: string, code: string, hint: (step: FailedCall) => string | undefined];

const text = (hint: string) => () => hint;
/** `mount` of this type. */
const ofType = (type: string, hint: (step: FailedCall) => string | undefined) => (step: FailedCall) =>
  step.args[2] === type ? hint(step) : undefined;
const where = (met: (step: FailedCall) => boolean, hint: string) => (step: FailedCall) => (met(step) ? hint : undefined);

const inCgroup = (step: FailedCall): boolean =>
  [step.label, ...step.args].some((word) => typeof word === "string" && /\bcgroup\b/.test(word));
/** Something of an id map: what is said of AppArmor holds for it too. */
const ofMap = (step: FailedCall): boolean => /_map$| setgroups$/.test(step.label);
const idMap = (step: FailedCall) => (ofMap(step) ? idMapHint(step.label) : undefined);

/** Ubuntu's knob takes capabilities away inside; root outside is not restricted. */
const appArmor = (step: FailedCall): string | undefined => {
  const inside = ofMap(step) || step.lane === "container";
  return inside && sys("geteuid") !== 0 ? appArmorHint() : undefined;
};
/** Bare nsrun does without a user namespace where a hint says so: for the sake of the root, never of a volume. */
const owners =
  (why: string) =>
  ({ label, args: [tree] }: FailedCall): string | undefined => {
    if (!label.startsWith("map the owners")) return undefined;
    const volume = (tree as { slot?: string } | null)?.slot?.startsWith("volume");
    const way = ":noidmap, with which they show as nobody, or :bind, without what is mounted below it";
    return `${why}: ${volume ? way : "--userns host"}`;
  };
/** Of clone(2), or of clone3(2) in its structure. */
const flagsOf = ({ args: [first] }: FailedCall): number =>
  typeof first === "number" ? first : Number((first as { words?: readonly unknown[] })?.words?.[0] ?? 0) % 2 ** 32;

/** Root can do without what is refused, but must say so. */
const cloned = (code: string) => (step: FailedCall) => {
  const flags = flagsOf(step);
  const hint = cloneHint(flags, code);
  const without = (flags & CLONE.CLONE_NEWUSER) !== 0 && sys("geteuid") === 0;
  return hint && without ? `${hint}; root can do without a user namespace: --userns host` : hint;
};

/** First match that has something to say wins; `*` is any call, or any errno. */
export const RULES: readonly Rule[] = [
  ["*", "EMFILE", openFilesHint],
  ["*", "ENFILE", text("the machine's limit of open files is reached: sysctl fs.file-max")],
  ["clone", "ENOSPC", cloned("ENOSPC")],
  ["clone", "EUSERS", cloned("EUSERS")],
  ["clone", "EPERM", cloned("EPERM")],
  ["clone", "EACCES", cloned("EACCES")],
  ["clone", "EINVAL", cloned("EINVAL")],
  [
    "clone",
    "ENOMEM",
    text("the pid namespace to be used has lost its first process, and can get no other: join one that lives, or make a new one"),
  ],
  [
    "clone",
    "EAGAIN",
    text("a limit of processes is reached: ulimit -u, pids.max of the cgroup, or kernel.pid_max and kernel.threads-max"),
  ],
  ["clone", "EOPNOTSUPP", text("the cgroup can hold no processes: --pids-limit max does without one")],
  ["unshare", "ENOSPC", (step) => cloneHint(Number(step.args[0]), "ENOSPC")],
  [
    "unshare",
    "EINVAL",
    where(
      (step) => Number(step.args[0]) === CLONE.CLONE_NEWUSER,
      "a process with threads cannot enter another user namespace: use clone",
    ),
  ],
  [
    "unshare",
    "EPERM",
    where(
      (step) => Number(step.args[0]) === CLONE.CLONE_NEWTIME,
      "a new time namespace needs root, or a user namespace: --unshare user",
    ),
  ],
  ["unshare", "EPERM", (step) => cloneHint(Number(step.args[0]), "EPERM")],
  [
    "setns",
    "EPERM",
    text("joining needs CAP_SYS_ADMIN in the user namespace that owns the target: join that one as well with --join user=…"),
  ],
  ["setns", "EINVAL", text("the file is no namespace of that type, or it is the user namespace we are in")],
  [
    "openat2",
    "ENOENT",
    ({ lane }) => (lane === "container" ? "a symbolic link of the root leads to what is not in it" : undefined),
  ],
  ["fchdir", "ENOTDIR", text("the rootfs has something else than a directory there")],
  ["openat2", "EXDEV", text("a symbolic link leads onto another mount; name the path it leads to")],
  ["openat2", "EAGAIN", text("a directory on the way was renamed, or something mounted, at the very moment: nothing was done")],
  ["on_mounts", "EXDEV", text("a symbolic link leads onto another mount; name the path it leads to")],
  ["rooted", "EXDEV", text("the directory was moved out of what is mounted in the container")],
  [
    "getxattr",
    "EOPNOTSUPP",
    text("tmpfs has user.* attributes from Linux 6.6 on; before, a joined user namespace cannot have a root made: --userns host"),
  ],
  ["mount_setattr", "EINVAL", owners("its file system, or one mounted below it, cannot map owners")],
  ["mount_setattr", "EPERM", owners("owners are mapped already, or this file system cannot map them")],
  ["openat2", "ELOOP", text("a symbolic link lies in the way; nsrun does not follow it")],
  ["openat2", "ENOTDIR", text("the rootfs has something else than a directory there")],
  ["mkdirat", "EROFS", text("the directory for the mount is missing and its file system is read-only")],
  ["mkdirat", "ENOSPC", text("no space for the container's directories")],
  [
    "mknodat",
    "EPERM",
    where(() => lacks("mknod"), "CAP_MKNOD is missing: an outer container has dropped it; start that one with --cap-add mknod"),
  ],
  ["mknodat", "EPERM", text("device nodes cannot be made in a user namespace, nor where a device cgroup forbids it")],
  ["mount", "EPERM", appArmor],
  ["mount", "EACCES", appArmor],
  [
    "fsopen",
    "EPERM",
    where(
      ({ lane }) => lane === "stage",
      "the /sys of a joined network namespace is made outside of a new user namespace, where we may mount nothing: leave --unshare user out",
    ),
  ],
  [
    "fsopen",
    "EPERM",
    where(
      (step) => step.args[0] === "sysfs",
      "sysfs shows a network namespace, and ours belongs to an outer user namespace: --unshare user takes the /sys that is there",
    ),
  ],
  ["fsmount", "EPERM", appArmor],
  ["fsmount", "EPERM", (step) => (step.label === "mount proc" ? procHint() : undefined)],
  ["fsmount", "EPERM", (step) => (step.label === "mount sysfs" ? sysHint() : undefined)],
  [
    "write",
    "ERANGE",
    where(
      (step) => step.label === "write its offsets",
      "--monotonic, --boottime: the clock would be below zero, or beyond 146 years",
    ),
  ],
  [
    "mount",
    "EACCES",
    ofType("overlay", text("root inside must be able to read the rootfs: with --uid-map it may be another than you")),
  ],
  [
    "mount",
    "EPERM",
    ofType(
      "overlay",
      text(
        "overlay in a user namespace needs Linux 5.11; without it: --rw --rootfs DIR, a directory of yours that is written in place",
      ),
    ),
  ],
  [
    "mount",
    "EINVAL",
    ofType("overlay", (step) =>
      String(step.args[4]).startsWith("lowerdir=/,")
        ? "without root the host's root cannot be a lower layer: mounts lie below it; name a directory, such as --rootfs /some/tree"
        : "a layer of the overlay cannot be used: mounts lie below the lower one, or the upper one is on a file system without extended attributes (overlay, NFS, vfat); dmesg says which",
    ),
  ],
  ["mount", "EBUSY", ofType("overlay", text("the upper or the work directory is in use by another overlay"))],
  ["mount", "EINVAL", (step) => (step.args[1] === "/" ? chrootHint() : undefined)],
  [
    "mount",
    "EINVAL",
    where(
      (step) => (Number(step.args[3]) & MS.MS_BIND) === 0,
      "an option of the mount is unknown or has a bad value: dmesg may name it",
    ),
  ],
  ["mount", "ENODEV", (step) => `this kernel has no file system ${String(step.args[2])}: modprobe ${String(step.args[2])}`],
  ["mount", "ENOSPC", mountLimitHint],
  ["mount", "EPERM", mountPermissionHint],
  ["move_mount", "ENOSPC", mountLimitHint],
  ["move_mount", "EINVAL", text("a file can only be mounted on a file, a directory on a directory")],
  [
    "open_tree",
    "EINVAL",
    text("what is mounted there is not to be copied alone: mounts of another user namespace lie on it (rbind copies them too)"),
  ],
  ["landlock_add_rule", "EINVAL", text("the rule names a right of directories, and the path is none")],
  ["landlock_restrict_self", "E2BIG", text("sixteen Landlock domains are nested here already")],
  ["pivot_root", "EINVAL", text("the root may be an initramfs (rootfs), which cannot be left by pivot_root: use --chroot")],
  ["sethostname", "EINVAL", text("a host name has at most 64 bytes")],
  ["prlimit64", "EPERM", text("a hard limit can only be lowered without CAP_SYS_RESOURCE")],
  ["says", "EBADMSG", text("the kernel has not what was asked for, though the call said so: the command was not run")],
  [
    "descriptors",
    "EBADMSG",
    text("a descriptor of the host's would be open to the command, though a call said that it was closed"),
  ],
  ["at_root", "EBADMSG", text("the root directory is not the container's, though the call said so: the command was not run")],
  ["bound_capabilities", "EPERM", text("giving capabilities up needs CAP_SETPCAP")],
  ["capset", "EPERM", text("you cannot give capabilities that you do not have yourself")],
  ["keyctl", "EDQUOT", text("each container has a keyring, and your quota of keys is used up (sysctl kernel.keys.maxkeys)")],
  ["keyctl", "EPERM", text("an outer container forbids keyrings: --no-new-keyring goes without one")],
  ["keyctl", "ENOSYS", text("an outer container's filter hides keyrings: --no-new-keyring goes without one")],
  ["seccomp", "EACCES", text("without CAP_SYS_ADMIN a filter needs no_new_privs: not with --new-privileges")],
  ["seccomp", "EINVAL", text("this kernel has no system call filters (CONFIG_SECCOMP_FILTER): --seccomp none goes without")],
  ["seccomp", "ENOSYS", text("this kernel has no seccomp(2): --seccomp none goes without a filter")],
  ["write", "EPERM", appArmor],
  ["write", "EPERM", idMap],
  ["write", "EINVAL", where((step) => step.label === "let these groups ping", "that group is not mapped in the user namespace")],
  ["openat", "EACCES", appArmor],
  ["setresuid", "EINVAL", text("that user is not mapped in the user namespace")],
  ["setresgid", "EINVAL", text("that group is not mapped in the user namespace")],
  ["setgroups", "EPERM", where(() => lacks("setgid"), "CAP_SETGID is missing: an outer container has dropped it")],
  ["setgroups", "EPERM", text("setgroups is denied in this user namespace")],
  [
    "unlinkat",
    "EBUSY",
    where(
      inCgroup,
      "the cgroup has processes or children: end them (echo 1 >cgroup.kill), wait until cgroup.events says populated 0",
    ),
  ],
  [
    "write",
    "EBUSY",
    where(inCgroup, "a cgroup with processes of its own gives no controllers to its children: move them into a child first"),
  ],
  [
    "*",
    "ENOSYS",
    text(
      "this kernel is too old for the call, or an outer container's filter hides it (--security-opt seccomp=unconfined): nsrun doctor",
    ),
  ],
  ["*", "EPERM", text("something on this machine forbids it: nsrun doctor tries what works")],
];

/** The second line of the error for `step`, or undefined where the errno says it all. */
export function hintFor(step: FailedCall, errno: number): string | undefined {
  const code = errnoName(errno);
  for (const [call, name, hint] of RULES) {
    if ((call !== step.call.replace("clone3", "clone") && call !== "*") || (name !== code && name !== "*")) continue;
    const found = hint(step);
    if (found !== undefined) return found;
  }
  return undefined;
}
