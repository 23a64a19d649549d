/** What the catalogue looks at when a call has failed: capabilities, limits, mounts. */
import { readText } from "../ffi/file.ts";
import { RLIMIT } from "../ffi/flags.ts";
import { sys } from "../ffi/syscall.ts";
import { current } from "./process.ts";

const read = (path: string): string => {
  const text = readText(path);
  return typeof text === "number" ? "" : text;
};

/** linux/capability.h */
const CAPABILITY = { setgid: 6, setuid: 7, sys_admin: 21, mknod: 27, setfcap: 31 } as const;

/** Whether the capability is not among our effective ones: "CapEff" of /proc/self/status, proc(5). */
export function lacks(name: keyof typeof CAPABILITY): boolean {
  const [, hex = "0"] = /^CapEff:\s*([0-9a-f]+)$/m.exec(read("/proc/self/status")) ?? [];
  return ((BigInt(`0x${hex}`) >> BigInt(CAPABILITY[name])) & 1n) === 0n;
}

/** EMFILE: the soft limit, and how far it may be raised. Asked without a descriptor: there may be none. */
export function openFilesHint(): string {
  const { soft, hard } = current(RLIMIT.nofile);
  return `the limit of open files, ${soft}, is reached: raise it with ulimit -n${hard === soft ? ` (as root: the hard limit is ${hard} too)` : ` ${hard}`}`;
}

/** EPERM of a write to uid_map or gid_map: user_namespaces(7), "Defining user and group ID mappings". */
export function idMapHint(label: string): string {
  const needed = label.includes("gid") ? "setgid" : "setuid";
  if (lacks(needed))
    return `a map of more than one's own id needs CAP_${needed.toUpperCase()} outside: an outer container has dropped it`;
  // Linux 5.12: a process in the new namespace could give file capabilities for the outer root
  if (lacks("setfcap"))
    return "a map that holds the outer root's id 0 needs CAP_SETFCAP outside: map other ids with --uid-map and --gid-map";
  return "without privilege a map may hold one's own id alone, and setgroups must say deny before gid_map is written";
}

/** ENOSPC of a mount: not the disk, but mounts of one mount namespace are counted. */
export function mountLimitHint(): string {
  const there = read("/proc/self/mountinfo").split("\n").length - 1;
  const limit = read("/proc/sys/fs/mount-max").trim() || "100000";
  return `a mount namespace may have ${limit} mounts and this one has ${there}: umount some, or sysctl fs.mount-max=${Number(limit) * 2}`;
}

/** EPERM of a mount that is none of the better known cases. */
export function mountPermissionHint(): string | undefined {
  if (lacks("sys_admin")) return undefined;
  if (/^Seccomp:\s*2$/m.test(read("/proc/self/status")))
    return "an outer container's filter may forbid it: start that one with --security-opt seccomp=unconfined, or --privileged";
  return undefined;
}

/** EINVAL of a change of propagation at "/": the root we are in must itself be a mount. In a chroot it is often a mere directory. */
export function chrootHint(): string | undefined {
  const rootIsMount = read("/proc/self/mountinfo")
    .split("\n")
    .some((line) => line.split(" ")[4] === "/");
  return rootIsMount
    ? undefined
    : "nsrun is in a chroot whose directory is no mount, so its root cannot be left: outside, before the chroot: mount --bind DIR DIR";
}

/** In a user namespace the kernel mounts a sysfs only where one is seen already: mount_too_revealing() in fs/namespace.c. */
export const sysHint = (): string | undefined =>
  sys("faccessat2", -100, "/sys/kernel", 0, 0) !== 0
    ? "/sys is not mounted here, and without one a user namespace cannot have one: mount -t sysfs sysfs /sys; or --userns host"
    : undefined;
