/** Where `/` comes from: steps that end with the slot "root" and the working directory being the new root, still under the old one. */
import { AT, AT_FDCWD, FSCONFIG, MOUNT_ATTR, MOVE_MOUNT, MS, O, OPEN_TREE } from "../ffi/flags.ts";
import { mountAttr, placeholder, step } from "./list.ts";
import { attachLower, layerSteps, mappedLower, mountPoints, overlayStep } from "./overlay.ts";
import { layerResolvConf } from "./resolv.ts";
import { type ContainerSpec, mapped, type Recipe, type RootSpec } from "./spec.ts";
import { isStaged, stagedPrepare, stagedRoot } from "./staged.ts";
import { type Arg, REG, type SyscallStep, slot } from "./step.ts";

const { FSCONFIG_SET_STRING, FSCONFIG_SET_FD, FSCONFIG_CMD_CREATE } = FSCONFIG;

/** An fsopen … fsmount sequence of the parent; the mount ends in slot `into`, attached nowhere. */
export function detachedFs(
  type: string,
  settings: readonly (readonly [string, Arg])[],
  attributes: number,
  into: string,
): SyscallStep[] {
  const fs = `${into}.fs`;
  return [
    step("parent", `open a ${type} for ${into}`, "fsopen", [type, 1], { store: fs }),
    step("parent", `${type}: its name in /proc/mounts`, "fsconfig", [slot(fs), FSCONFIG_SET_STRING, "source", type, 0]),
    ...settings.map(([key, value]) =>
      typeof value === "string"
        ? step("parent", `${type}: ${key}=${value}`, "fsconfig", [slot(fs), FSCONFIG_SET_STRING, key, value, 0])
        : step("parent", `${type}: ${key}`, "fsconfig", [slot(fs), FSCONFIG_SET_FD, key, null, value as Arg]),
    ),
    step("parent", `create the ${type}`, "fsconfig", [slot(fs), FSCONFIG_CMD_CREATE, null, null, 0]),
    step("parent", `mount the ${type}, attached nowhere`, "fsmount", [slot(fs), 1, attributes], { store: into }),
    step("parent", `close the ${type}'s context`, "close", [slot(fs)]), // twenty descriptors must be enough
  ];
}

const mkdir = (dir: string, name: string, mode = 0o755) =>
  step("parent", `mkdir ${name}`, "mkdirat", [slot(dir), name, mode], { tolerate: 17 });

function detachedOverlay(spec: ContainerSpec, root: RootSpec): SyscallStep[] {
  const open = (dir: string, name: Arg, into: string) =>
    step(
      "parent",
      `open ${into}`,
      "openat",
      [dir === "" ? AT_FDCWD : slot(dir), name, O.O_PATH | O.O_DIRECTORY | O.O_CLOEXEC, 0],
      {
        store: into,
      },
    );
  const lower = typeof root.lower === "string" ? [open("", root.lower, "lower")] : [];
  return [
    ...lower,
    ...detachedFs("tmpfs", [["mode", "0755"]], MOUNT_ATTR.MOUNT_ATTR_NODEV, "layer"),
    mkdir("layer", "u"),
    mkdir("layer", "w"),
    ...mountPoints(spec).map((name) => mkdir("layer", `u/${name}`)),
    ...layerResolvConf(spec, "parent"),
    open("layer", "u", "upper"),
    open("layer", "w", "work"),
    ...detachedFs(
      "overlay",
      [
        ["lowerdir+", slot("lower")],
        ["upperdir", slot("upper")],
        ["workdir", slot("work")],
      ],
      MOUNT_ATTR.MOUNT_ATTR_NODEV,
      "root",
    ),
  ];
}

function clonedDirectory(spec: ContainerSpec, lower: string): SyscallStep[] {
  const flags = OPEN_TREE.OPEN_TREE_CLONE | OPEN_TREE.OPEN_TREE_CLOEXEC | OPEN_TREE.AT_RECURSIVE;
  return [
    step("parent", `clone the mount tree at ${lower}`, "open_tree", [AT_FDCWD, lower, flags], { store: "root" }),
    step(
      "parent",
      "make the clone private",
      "mount_setattr",
      [slot("root"), "", AT.AT_EMPTY_PATH | AT.AT_RECURSIVE, mountAttr(0, MS.MS_PRIVATE), 32],
      { why: "a clone of a shared mount stays in the host's peer group: mounts on it would appear on the host" },
    ),
    ...mountPoints(spec).map((name) => mkdir("root", name)),
  ];
}

/** The tree at the working directory becomes the slot "root". */
const holdRoot = (): SyscallStep[] => [
  step("container", "open the new root", "openat", [AT_FDCWD, ".", O.O_PATH | O.O_DIRECTORY | O.O_CLOEXEC, 0], { store: true }),
  step("container", "keep it by number", "dup3", [REG, slot("root"), O.O_CLOEXEC]),
];

/** In the container's own user namespace `userxattr`: the super block belongs to that, and knows no device nodes. */
function overlayByPaths(spec: ContainerSpec, root: RootSpec): SyscallStep[] {
  const { lower } = root;
  const path = typeof lower === "string" && !mapped(spec) ? lower : undefined;
  const userxattr = !spec.privileged || spec.namespaces.user.mode !== "share";
  return [
    ...layerSteps("container", spec, root),
    ...layerResolvConf(spec, "container"),
    ...(path === undefined ? attachLower("container") : []),
    overlayStep("container", path, userxattr),
    step("container", "enter the new root", "chdir", ["o"]),
    ...holdRoot(),
  ];
}

function bindByPaths(spec: ContainerSpec, root: RootSpec & { lower: string }): SyscallStep[] {
  return [
    step("container", `bind ${root.lower} on ${root.anchor}`, "mount", [
      root.lower,
      root.anchor,
      null,
      MS.MS_BIND | MS.MS_REC,
      null,
    ]),
    step("container", "enter the new root", "chdir", [root.anchor]),
    ...mountPoints(spec).map((name) => step("container", `mkdir ${name}`, "mkdirat", [AT_FDCWD, name, 0o755], { tolerate: 17 })),
    ...holdRoot(),
  ];
}

/** A detached tree, in the slot "root". */
const attachRoot = (): SyscallStep[] => [
  step("container", "mount the new root over the old one", "move_mount", [
    slot("root"),
    "",
    AT_FDCWD,
    "/",
    MOVE_MOUNT.MOVE_MOUNT_F_EMPTY_PATH,
  ]),
  step("container", "enter the new root", "fchdir", [slot("root")]),
];

/** What the parent prepares and what the container does to have its root mounted and open. */
export function rootSteps(
  spec: ContainerSpec,
  root: RootSpec,
  recipe: Recipe,
): { prepare: SyscallStep[]; container: SyscallStep[] } {
  if (isStaged(spec, recipe)) return { prepare: stagedPrepare(root), container: [...stagedRoot(root), ...attachRoot()] };
  if (spec.privileged && root.layer === "bind")
    return { prepare: clonedDirectory(spec, root.lower as string), container: attachRoot() };
  if (spec.privileged && recipe === "detached" && !mapped(spec))
    return { prepare: detachedOverlay(spec, root), container: attachRoot() };
  return {
    prepare: [...(mapped(spec) ? mappedLower(root) : []), placeholder("root")],
    container: root.layer === "bind" ? bindByPaths(spec, root as RootSpec & { lower: string }) : overlayByPaths(spec, root),
  };
}
