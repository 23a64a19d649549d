/**
 * Which knob refuses namespaces here: found by looking, after the kernel has refused. `proc` is where /proc is, for tests.
 * user_namespaces(7), namespaces(7), Documentation/admin-guide/sysctl/user.rst; the two kernel.* knobs are Debian's and Ubuntu's.
 */
import { readLink, readText } from "../ffi/file.ts";
import { CLONE } from "../ffi/flags.ts";

/** Flag of clone(2), limit in /proc/sys/user, name in /proc/PID/ns. */
const KINDS: readonly (readonly [flag: number, limit: string, ns: string])[] = [
  [CLONE.CLONE_NEWUSER, "max_user_namespaces", "user"],
  [CLONE.CLONE_NEWPID, "max_pid_namespaces", "pid"],
  [CLONE.CLONE_NEWNET, "max_net_namespaces", "net"],
  [CLONE.CLONE_NEWNS, "max_mnt_namespaces", "mnt"],
  [CLONE.CLONE_NEWUTS, "max_uts_namespaces", "uts"],
  [CLONE.CLONE_NEWIPC, "max_ipc_namespaces", "ipc"],
  [CLONE.CLONE_NEWCGROUP, "max_cgroup_namespaces", "cgroup"],
  [CLONE.CLONE_NEWTIME, "max_time_namespaces", "time"],
];

function read(path: string): string | undefined {
  const text = readText(path);
  return typeof text === "number" ? undefined : text.trim();
}

/** ENOSPC, EUSERS: a limit of this user namespace, or of one around it that cannot be seen from here. */
function limitHint(flags: number, proc: string): string {
  const limits = KINDS.filter(([flag]) => (flags & flag) !== 0).map(([, name]) => ({
    name,
    value: read(`${proc}/sys/user/${name}`),
  }));
  const zero = limits.find(({ value }) => value === "0");
  if (zero) return `user.${zero.name} is 0 here: no such namespace may be made; raise it with: sysctl user.${zero.name}=1000`;
  const [least] = limits.filter(({ value }) => value !== undefined).sort((a, b) => Number(a.value) - Number(b.value));
  const lowest = least ? `; the lowest is user.${least.name}=${least.value}` : "";
  return `a limit of namespaces is reached, here or in an outer user namespace, or they are nested 33 deep: see user.max_*_namespaces in /proc/sys/user${lowest} (a dead network namespace counts until the kernel has cleaned it up)`;
}

const APPARMOR =
  "AppArmor takes all capabilities in new user namespaces (kernel.apparmor_restrict_unprivileged_userns is 1): sysctl kernel.apparmor_restrict_unprivileged_userns=0, or a profile for nsrun with the rule userns";

/** Ubuntu's knob: clone succeeds, and the first step that needs a capability inside gets EPERM or EACCES. */
export const appArmorHint = (proc = "/proc"): string | undefined =>
  read(`${proc}/sys/kernel/apparmor_restrict_unprivileged_userns`) === "1" ? APPARMOR : undefined;

/** EPERM, EACCES of clone(CLONE_NEWUSER). */
function userHint(proc: string): string {
  if (read(`${proc}/sys/kernel/unprivileged_userns_clone`) === "0")
    return "kernel.unprivileged_userns_clone is 0: user namespaces are refused to ordinary users; allow them with: sysctl kernel.unprivileged_userns_clone=1";
  const appArmor = appArmorHint(proc);
  if (appArmor) return appArmor;
  if (read(`${proc}/self/status`)?.includes("\nSeccomp:\t2"))
    return "user namespaces are refused here, probably by the seccomp filter of an outer container: start that one with --security-opt seccomp=unconfined";
  return "user namespaces are refused here: by a chroot (its root is not that of its mount namespace), a security policy, or since our own user or group id is not mapped here";
}

/** Why clone(2) or unshare(2) with these flags said `code`, and what helps. */
export function cloneHint(flags: number, code: string, proc = "/proc"): string | undefined {
  if (code === "ENOSPC" || code === "EUSERS") return limitHint(flags, proc);
  if (code === "EINVAL") {
    const missing = KINDS.find(([flag, , ns]) => (flags & flag) !== 0 && typeof readLink(`${proc}/self/ns/${ns}`) === "number");
    return missing && `this kernel has no ${missing[2]} namespaces: /proc/self/ns/${missing[2]} is not there`;
  }
  if (code !== "EPERM" && code !== "EACCES") return undefined;
  if ((flags & CLONE.CLONE_NEWUSER) === 0) return "new namespaces need root, or a user namespace: --unshare user";
  return userHint(proc);
}

/** mountinfo's octal escapes: proc(5). */
const unescaped = (path: string): string =>
  path.replace(/\\([0-7]{3})/g, (_, code: string) => String.fromCharCode(parseInt(code, 8)));

/** Where each line of mountinfo says that something is mounted. */
export const mountPoints = (mountinfo: string): string[] =>
  mountinfo.split("\n").map((line) => unescaped(line.split(" ")[4] ?? ""));

/** Mounts below /proc that hide something: binfmt_misc covers a directory that is empty for this purpose. */
export function maskedPaths(mountinfo: string): string[] {
  const places = mountPoints(mountinfo).filter((place) => place.startsWith("/proc/") && place !== "/proc/sys/fs/binfmt_misc");
  return [...new Set(places)].sort();
}

const SHOWN = 6;

/** EPERM of mount("proc") in a user namespace: mount_too_revealing of fs/namespace.c wants an unmasked one to be there already. */
export function procHint(proc = "/proc"): string {
  const masked = maskedPaths(read(`${proc}/self/mountinfo`) ?? "");
  const remedy =
    "unmask it (docker: --security-opt systempaths=unconfined, podman: --security-opt unmask=ALL), or keep this /proc with --share pid";
  if (masked.length === 0)
    return `the kernel wants a whole, writable /proc to be there before it mounts another in a user namespace; ${remedy}`;
  const more = masked.length > SHOWN ? ` and ${masked.length - SHOWN} more` : "";
  return `an outer container has masked parts of /proc (${masked.slice(0, SHOWN).join(" ")}${more}), and the kernel then refuses a fresh one in a user namespace: ${remedy}`;
}
