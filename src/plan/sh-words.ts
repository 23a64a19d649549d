/** Flags, paths and memory of system calls in the words of mount(8), unshare(1) and sh(1). */
import { CLONE, MOUNT_ATTR, MS } from "../ffi/flags.ts";
import type { Arg, SyscallStep } from "./step.ts";

/** One word for sh(1). */
export const word = (text: string): string =>
  /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;

/** mount(8)'s words for mount(2)'s flags and for the attributes of a mount. */
const FLAG_WORDS: readonly (readonly [number, number, string])[] = [
  [MS.MS_RDONLY, MOUNT_ATTR.MOUNT_ATTR_RDONLY, "ro"],
  [MS.MS_NOSUID, MOUNT_ATTR.MOUNT_ATTR_NOSUID, "nosuid"],
  [MS.MS_NODEV, MOUNT_ATTR.MOUNT_ATTR_NODEV, "nodev"],
  [MS.MS_NOEXEC, MOUNT_ATTR.MOUNT_ATTR_NOEXEC, "noexec"],
  [MS.MS_NOATIME, MOUNT_ATTR.MOUNT_ATTR_NOATIME, "noatime"],
];
export const flagWords = (flags: number, kind: 0 | 1): string[] =>
  FLAG_WORDS.filter((row) => (flags & row[kind]) !== 0).map((row) => row[2]);

const PROPAGATIONS: readonly (readonly [number, string])[] = [
  [MS.MS_PRIVATE, "private"],
  [MS.MS_SLAVE, "slave"],
  [MS.MS_SHARED, "shared"],
  [MS.MS_UNBINDABLE, "unbindable"],
];

/** `rslave`, for `mount --make-…` and `unshare --propagation`. */
export function propagationWord(flags: number): string | undefined {
  const kind = PROPAGATIONS.find(([bit]) => (flags & bit) !== 0)?.[1];
  return kind && `${(flags & MS.MS_REC) !== 0 ? "r" : ""}${kind}`;
}

const NS_WORDS: readonly (readonly [number, string])[] = [
  [CLONE.CLONE_NEWUSER, "user"],
  [CLONE.CLONE_NEWPID, "pid"],
  [CLONE.CLONE_NEWNET, "net"],
  [CLONE.CLONE_NEWNS, "mount"],
  [CLONE.CLONE_NEWUTS, "uts"],
  [CLONE.CLONE_NEWIPC, "ipc"],
  [CLONE.CLONE_NEWCGROUP, "cgroup"],
  [CLONE.CLONE_NEWTIME, "time"],
];
/** unshare(1)'s and nsenter(1)'s names of the namespaces in `flags`. */
export const namespaceWords = (flags: number): string[] =>
  NS_WORDS.filter(([bit]) => (flags & bit) !== 0).map(([, name]) => name);

export const number = (arg: Arg | undefined): number => (typeof arg === "number" ? arg : 0);
export const slotName = (arg: Arg | undefined): string | undefined =>
  typeof arg === "object" && arg !== null && "slot" in arg ? arg.slot : undefined;
export const isRegister = (arg: Arg | undefined): boolean => typeof arg === "object" && arg !== null && "reg" in arg;

export const numbers = (arg: Arg | undefined): number[] =>
  typeof arg === "object" && arg !== null && "words" in arg ? arg.words.map(Number) : [];

/** The text that a write(2) writes. */
export const written = (step: SyscallStep): string => {
  const arg = step.args[1];
  if (typeof arg === "string") return arg;
  return typeof arg === "object" && arg !== null && "bytes" in arg ? Buffer.from(arg.bytes).toString() : "";
};

export const print = (text: string): string => `printf %s ${word(text)}`;

/** `also WORDS [-R] TARGET`: options besides those that the mount has, which mount(8) would take away. */
export const ALSO = [
  "also() {",
  "  options=$1; shift",
  '  all=; [ "$1" != -R ] || { all=-R; shift; }',
  '  target=$(realpath -s "$1")',
  '  findmnt --kernel -F proc/self/mountinfo -rno TARGET,VFS-OPTIONS $all "$target" | while read -r at has; do',
  '    at=$(env printf %b "$at")', // findmnt has written \x20 for a blank
  '    mount -c -o "remount,bind,$has,$options" "$at" "$at"',
  "  done",
  "}",
];

export function mountCommand(
  source: string | null,
  target: string,
  type: string | null,
  flags: number,
  data: string | null,
): string {
  const spread = propagationWord(flags);
  if (spread) return `mount -c --make-${spread} ${word(target)}`;
  if (flags & MS.MS_BIND) return `mount --${flags & MS.MS_REC ? "r" : ""}bind ${word(source ?? "none")} ${word(target)}`;
  const options = [...flagWords(flags, 0), ...(data ? [data] : [])].join(",");
  return `mount -t ${type}${options ? ` -o ${word(options)}` : ""} ${word(source ?? "none")} ${word(target)}`;
}
