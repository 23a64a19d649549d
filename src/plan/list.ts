/** Small makers of steps that several parts of a plan share. */

import type { SyscallName } from "../ffi/abi.ts";
import { AT_FDCWD, MOUNT_ATTR, MOVE_MOUNT, MS, names, O, openNames, RESOLVE, S } from "../ffi/flags.ts";
import type { ContainerSpec } from "./spec.ts";
import type { Arg, Lane, Loop, Slot, SyscallStep, Words } from "./step.ts";
import { REG, slot } from "./step.ts";

type Extra = Partial<Omit<SyscallStep, "lane" | "label" | "call" | "args">>;

/** `step("container", "mount proc", "mount", […])` */
export const step = (lane: Lane, label: string, call: SyscallName | Loop, args: readonly Arg[], extra?: Extra): SyscallStep =>
  extra === undefined ? { lane, label, call, args } : { lane, label, call, args, ...extra };

/** struct open_how of openat2(2). */
export function openHow(flags: number, resolve: number): Words {
  return {
    words: [flags, 0, resolve],
    get text() {
      return `{flags=${openNames(flags)}, resolve=${names(RESOLVE, resolve)}}`;
    },
  };
}

/** struct mount_attr of mount_setattr(2). */
export function mountAttr(set: number, propagation: number): Words {
  return {
    words: [set, 0, propagation, 0],
    get text() {
      return `{attr_set=${names(MOUNT_ATTR, set)}, attr_clr=0, propagation=${names(MS, propagation)}, userns_fd=0}`;
    },
  };
}

/** struct msghdr that carries descriptors (SCM_RIGHTS) beside `length` bytes, as strace prints it. */
export function messageText(data: string, length: number, descriptors: string): string {
  const control = `[{cmsg_len=20, cmsg_level=SOL_SOCKET, cmsg_type=SCM_RIGHTS, cmsg_data=${descriptors}}]`;
  return `{msg_name=NULL, msg_namelen=0, msg_iov=[{iov_base=${data}, iov_len=${length}}], msg_iovlen=1, msg_control=${control}, msg_controllen=24, msg_flags=0}`;
}

export const EEXIST = 17;

/** Follows links of the root inside the root only, and never a magic link of /proc. */
const IN_ROOT = RESOLVE.RESOLVE_IN_ROOT | RESOLVE.RESOLVE_NO_MAGICLINKS;
/** For nsrun's own mount points: a link in that place is an attack or a mistake. */
const NO_LINKS = RESOLVE.RESOLVE_BENEATH | RESOLVE.RESOLVE_NO_SYMLINKS;

/** openat2(root, path) with an O_PATH descriptor in the register. `more`: further RESOLVE_* flags. */
export function resolve(path: string, label: string, strict = false, more = 0): SyscallStep {
  const relative = path.startsWith("/") ? path.slice(1) : path; // no regular expression: the first one costs a start 50 µs
  const flags = O.O_PATH | O.O_CLOEXEC | (strict ? O.O_DIRECTORY : 0);
  return step(
    "container",
    label,
    "openat2",
    [slot("root"), relative === "" ? "." : relative, openHow(flags, (strict ? NO_LINKS : IN_ROOT) | more), 24],
    {
      store: true,
      why: strict ? "a link in this place would lead the mount elsewhere" : "links of the root are followed inside it only",
    },
  );
}

/** The slot of a scratch directory's mount, open where volumes have to be found. */
export const scratchSlot = (path: string): Slot => slot(`scratch${path}`);
/** The slot of the mount that a user's mount makes; of a mount that the given directory brings along. */
export const volumeSlot = (index: number): Slot => slot(`volume${index}`);
export const belowSlot = (path: string): Slot => slot(`below${path}`);

export const isBelow = (path: string, place: string): boolean => path === place || path.startsWith(`${place}/`);

/** Where links are the kernel's and nsrun's: what is named below them is meant so. */
const OWN = ["/proc", "/sys", "/dev"];

/**
 * The mount that `path` names a place of, when the user's mount `index` is made: "own", one whose slot is given, or
 * (undefined) the root. The last one that was mounted on the way hides those before it.
 */
function placeOf(spec: ContainerSpec, path: string, index: number): Slot | "own" | undefined {
  let found: Slot | "own" | undefined;
  for (const place of spec.root?.below ?? []) if (isBelow(path, place)) found = belowSlot(place);
  if (OWN.some((place) => isBelow(path, place))) found = "own";
  for (const [i, { target }] of spec.mounts.entries()) if (i < index && isBelow(path, target)) found = volumeSlot(i);
  return found;
}

/** Opens a path of the root, as {@link resolve} does. */
export type Find = (path: string, label: string) => SyscallStep[];

const onlyOn = (mounts: readonly Slot[]): SyscallStep =>
  step("container", "make sure that no link has led onto another mount", "on_mounts", [REG, ...mounts]);

/**
 * A link must not lead a volume onto /proc, /sys, /dev or another volume (CVE-2019-19921, CVE-2023-27561): neither one of the
 * rootfs nor one of an earlier volume, which others may write to. Onto /tmp and /run those of the rootfs may, as /var/run
 * does: where these are mounts, each find is looked at when it is done.
 */
export function finder(spec: ContainerSpec, target: string, index = 0): Find {
  if (placeOf(spec, target, index) === "own") return (path, label) => [resolve(path, label)];
  const onRoot: Find =
    spec.scratch.length === 0
      ? (path, label) => [resolve(path, label, false, RESOLVE.RESOLVE_NO_XDEV)]
      : (path, label) => [resolve(path, label), onlyOn([slot("root"), ...spec.scratch.map(scratchSlot)])];
  return (path, label) => {
    const place = placeOf(spec, path, index);
    return typeof place === "object" ? [resolve(path, label), onlyOn([place])] : onRoot(path, label);
  };
}

/** mkdir -p inside the root, one component at a time; the last one is a file for a file. */
export function makeTarget(target: string, file: boolean, find: Find): SyscallStep[] {
  const parts = target.split("/").filter((part) => part !== "" && part !== ".");
  return parts
    .map((name, i) => {
      const parent = `/${parts.slice(0, i).join("/")}`;
      const last = i === parts.length - 1;
      const make =
        last && file
          ? step("container", `a file ${target} to mount on`, "mknodat", [REG, name, S.S_IFREG | 0o644, 0], { tolerate: EEXIST })
          : step("container", `mkdir ${parent === "/" ? "" : parent}/${name}`, "mkdirat", [REG, name, 0o755], {
              tolerate: EEXIST,
            });
      return [...find(parent, `find ${parent}`), make];
    })
    .flat();
}

/** Attaches the detached mount `from` where the register points. */
export function attach(from: string, label: string): SyscallStep {
  const flags = MOVE_MOUNT.MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT.MOVE_MOUNT_T_EMPTY_PATH;
  return step("container", label, "move_mount", [slot(from), "", REG, "", flags]);
}

/** A slot that the container fills itself: the parent gives it a number, dup3 puts the descriptor there. */
export function placeholder(name: string): SyscallStep {
  return step("parent", `a number for ${name}`, "openat", [AT_FDCWD, "/", O.O_PATH | O.O_CLOEXEC, 0], { store: name });
}
