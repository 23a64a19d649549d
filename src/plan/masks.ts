/** proc and sysfs, and what of them is hidden or can only be read. All by descriptor: no path is walked twice. */
import { AT_FDCWD, FSCONFIG, MOUNT_ATTR, MOVE_MOUNT, O, OPEN_TREE } from "../ffi/flags.ts";
import { attach, mountAttr, placeholder, resolve, step } from "./list.ts";
import type { ContainerSpec } from "./spec.ts";
import { type Arg, type Lane, REG, type SyscallStep, slot } from "./step.ts";

const { MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC } = MOUNT_ATTR;
const KERNEL_FS = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
const READ_ONLY = KERNEL_FS | MOUNT_ATTR_RDONLY;
const CLONE = OPEN_TREE.OPEN_TREE_CLONE | OPEN_TREE.OPEN_TREE_CLOEXEC;
const { FSCONFIG_SET_STRING, FSCONFIG_CMD_CREATE } = FSCONFIG;
const AT_EMPTY_PATH = 0x1000;

/** A limit of twenty descriptors must do. */
const close = (lane: Lane = "container") => step(lane, "close the other one", "close", [REG]);
const keep = (name: string, lane: Lane = "container") => [
  step(lane, "keep it by number", "dup3", [REG, slot(name), O.O_CLOEXEC]),
  close(lane),
];

/** A new mount of `type`, attached nowhere; its slot is `name`. */
function newMount(type: string, name: string, attributes: number, why?: string, lane: Lane = "container"): SyscallStep[] {
  return [
    step(lane, `open a ${type}`, "fsopen", [type, 1], { store: true, ...(why === undefined ? {} : { why }) }),
    step(lane, `${type}: its name in /proc/mounts`, "fsconfig", [REG, FSCONFIG_SET_STRING, "source", type, 0]),
    step(lane, `create the ${type}`, "fsconfig", [REG, FSCONFIG_CMD_CREATE, null, null, 0]),
    step(lane, `mount ${type}`, "fsmount", [REG, 1, attributes], { store: true }),
    ...keep(name, lane),
  ];
}

/** The host's, with all below it: what is shared is what it shows, and a new one would need rights over that. */
function clonedHost(path: string, name: string, why: string): SyscallStep[] {
  const flags = CLONE | OPEN_TREE.AT_RECURSIVE;
  return [
    step("container", `clone the host's ${path}`, "open_tree", [AT_FDCWD, path, flags], { store: true, why }),
    ...keep(name),
  ];
}

const attributes = mountAttr(READ_ONLY, 0);

function setReadOnly(tree: Arg, label: string): SyscallStep {
  return step("container", label, "mount_setattr", [tree, "", AT_EMPTY_PATH | OPEN_TREE.AT_RECURSIVE, attributes, 32]);
}

/** The slots "proc" and "sys" are their roots from here on, wherever the directories below them may go. */
const at = (name: string): SyscallStep[] => [
  resolve(name, `find /${name}`, true),
  attach(name, `mount ${name} on /${name}`),
  close(),
];

/**
 * The kernel mounts a proc or sysfs for who has CAP_SYS_ADMIN over the namespace that it shows. setns(2) into one wants the same
 * of the stage, which is in the container's user namespace already unless that is to be new.
 */
const shows = (spec: ContainerSpec, ns: "pid" | "net"): boolean =>
  spec.namespaces[ns].mode === "new" || (spec.namespaces[ns].mode === "join" && spec.namespaces.user.mode !== "new");

/** A joined pid namespace and a new user namespace exclude each other (src/container/namespaces.ts): what is bound is shared. */
export const boundProc = (spec: ContainerSpec): boolean =>
  (!spec.privileged || spec.namespaces.user.mode !== "share") && !shows(spec, "pid");

export const boundSys = (spec: ContainerSpec): boolean => spec.namespaces.user.mode !== "share" && !shows(spec, "net");

/** A network namespace that the stage has joined, and over which the new user namespace will have no rights. */
export const stageSys = (spec: ContainerSpec): boolean => spec.namespaces.net.mode === "join" && boundSys(spec);

const sysAttributes = (spec: ContainerSpec): number => (spec.readonlyPaths.includes("/sys") ? READ_ONLY : KERNEL_FS);

/** By the stage, between its joining and the clone. */
export function stageSysfs(spec: ContainerSpec): SyscallStep[] {
  if (!spec.root || !stageSys(spec)) return [];
  const why = "sysfs shows the network namespace of its mounter, over which the new user namespace will have no rights";
  return newMount("sysfs", "sys", sysAttributes(spec), why, "stage");
}

function proc(spec: ContainerSpec): SyscallStep[] {
  const made = boundProc(spec)
    ? clonedHost(
        "/proc",
        "proc",
        "proc shows a pid namespace; the caller's, which this user namespace does not own, can only be bound",
      )
    : newMount("proc", "proc", KERNEL_FS, "shows the pid namespace of its mounter");
  return [...made, ...at("proc")];
}

function sysfs(spec: ContainerSpec): SyscallStep[] {
  if (stageSys(spec)) return at("sys");
  if (!boundSys(spec)) return [...newMount("sysfs", "sys", sysAttributes(spec)), ...at("sys")];
  const why = "sysfs shows a network namespace; the caller's, which this user namespace does not own, can only be bound";
  return [
    ...clonedHost("/sys", "sys", why),
    ...(spec.readonlyPaths.includes("/sys") ? [setReadOnly(slot("sys"), "make /sys and all below it read-only")] : []),
    ...at("sys"),
  ];
}

export const kernelFsSteps = (spec: ContainerSpec): { prepare: SyscallStep[]; container: SyscallStep[] } => ({
  prepare: [placeholder("proc"), placeholder("sys")],
  container: [...proc(spec), ...sysfs(spec)],
});

/** "/proc/a/b" is "a/b" below the slot "proc". */
function place(path: string): { mount: Arg; below: string } {
  const end = path.indexOf("/", 1);
  return { mount: slot(path.slice(1, end)), below: path.slice(end + 1) };
}

function cover(path: string, label: string, from: Arg): SyscallStep {
  const { mount, below } = place(path);
  return step("container", label, "move_mount", [from, "", mount, below, MOVE_MOUNT.MOVE_MOUNT_F_EMPTY_PATH]);
}

/** What the register holds goes on top of `path`. */
const coverBy = (path: string, label: string): SyscallStep[] => [cover(path, label, REG), close()];

/** A node of ours: the one in the container's own /dev, which nobody else has seen yet, or the host's. */
function nullNode(spec: ContainerSpec): SyscallStep {
  const [dir, path]: [Arg, string] = spec.privileged ? [slot("dev"), "null"] : [AT_FDCWD, "/dev/null"];
  return step("container", "clone our null node", "open_tree", [dir, path, CLONE], {
    store: true,
    why: "a /dev/null of the rootfs could be a link (CVE-2025-31133)",
  });
}

function hideFiles(spec: ContainerSpec): SyscallStep[] {
  const files = spec.maskedPaths.filter((masked) => !masked.directory);
  return files.map(({ path }) => [nullNode(spec), ...coverBy(path, `hide ${path}`)]).flat();
}

/** One empty tmpfs for all: itself on the first directory, clones of it on the others. */
function hideDirectories(spec: ContainerSpec): SyscallStep[] {
  const directories = spec.maskedPaths.filter((masked) => masked.directory);
  const clone = () =>
    step("container", "clone the empty tmpfs", "open_tree", [slot("empty"), "", CLONE | AT_EMPTY_PATH], { store: true });
  return directories
    .map(({ path }, i) =>
      i === 0
        ? [...newMount("tmpfs", "empty", READ_ONLY), cover(path, `hide ${path}`, slot("empty"))]
        : [clone(), ...coverBy(path, `hide ${path}`)],
    )
    .flat();
}

function readOnly(spec: ContainerSpec): SyscallStep[] {
  const covered = spec.readonlyPaths.includes("/sys");
  const whole = ["/sys", "/dev"]; // by their own mounts
  const paths = spec.readonlyPaths.filter((path) => !whole.includes(path) && !(covered && path.startsWith("/sys/")));
  return paths
    .map((path) => {
      const { mount, below } = place(path);
      return [
        step("container", `clone ${path}`, "open_tree", [mount, below, CLONE | OPEN_TREE.AT_RECURSIVE], { store: true }),
        setReadOnly(REG, `make it read-only`),
        ...coverBy(path, `read-only ${path}`),
      ];
    })
    .flat();
}

/** When /dev is there, and before anything of the caller's is mounted. */
export const maskSteps = (spec: ContainerSpec): { prepare: SyscallStep[]; container: SyscallStep[] } => ({
  prepare: spec.maskedPaths.some((masked) => masked.directory) ? [placeholder("empty")] : [],
  container: [...hideFiles(spec), ...hideDirectories(spec), ...readOnly(spec)],
});
