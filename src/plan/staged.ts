/**
 * The recipe "staged", for root's containers before Linux 6.6: the overlay is made by the stage, which is in the initial user
 * namespace and so keeps overlay's marks in trusted.* attributes. The container's own would need user.* ones, which tmpfs has not.
 *
 * The stage enters a mount namespace of its own, in which the container begins too, and from which that makes its own when the
 * overlay is there. Such a copy goes from one user namespace to another, and the kernel locks what it holds: root inside cannot
 * take `nodev` away, though an overlay of the initial user namespace knows the device nodes of its layers. A tree that is
 * attached nowhere, given as a descriptor, has no such lock.
 */
import { AT_FDCWD, CLONE, MS, O, OPEN_TREE } from "../ffi/flags.ts";
import { rootOutside } from "./identity.ts";
import { placeholder, step } from "./list.ts";
import { attachLower, layerSteps, mappedLower, mountPoints, overlayStep } from "./overlay.ts";
import { layerResolvConf } from "./resolv.ts";
import { type ContainerSpec, mapped, type Recipe, type RootSpec } from "./spec.ts";
import { REG, type SyscallStep, slot } from "./step.ts";

/** Whether the stage makes this container's root. */
export const isStaged = (spec: ContainerSpec, recipe: Recipe): boolean =>
  recipe === "staged" && mapped(spec) && spec.root?.layer === "overlay";

/** eventfd(2): a read waits until somebody has written a number, eight bytes. */
const one = { bytes: new Uint8Array([1, 0, 0, 0, 0, 0, 0, 0]), text: '"\\1\\0\\0\\0\\0\\0\\0\\0"' };

export const stagedPrepare = (root: RootSpec): SyscallStep[] => [
  step("parent", "open our mount namespace", "openat", [AT_FDCWD, "/proc/self/ns/mnt", O.O_RDONLY | O.O_CLOEXEC, 0], {
    store: "host.mnt",
    why: "the stage goes back to it",
  }),
  step("parent", "by which the container hears that its root is made", "eventfd2", [0, O.O_CLOEXEC], { store: "made" }),
  ...mappedLower(root),
  placeholder("root"),
];

/** Before the clone: the container begins in this namespace. */
export const stagedBefore = (): SyscallStep[] => [
  step("stage", "a mount namespace to make the root in", "unshare", [CLONE.CLONE_NEWNS]),
  step("stage", "make every mount private", "mount", [null, "/", null, MS.MS_REC | MS.MS_PRIVATE, null], {
    why: "a copy of a shared mount is a peer of the host's: without this our mounts would appear there",
  }),
];

/** What the stage has made in the upper layer belongs to root inside. */
function giveAway(spec: ContainerSpec): SyscallStep[] {
  const { uid, gid } = rootOutside(spec);
  const more = spec.net.mode === "pasta" ? ["etc", "etc/resolv.conf"] : [];
  return ["u", ...[...mountPoints(spec), ...more].map((name) => `u/${name}`)].map((name) =>
    step("stage", `give ${name} to root inside`, "fchownat", [AT_FDCWD, name, uid, gid, 0]),
  );
}

/** After the clone, when the container's user namespace has its maps and the lower layer's owners are mapped by it. */
export const stagedAfter = (spec: ContainerSpec, root: RootSpec): SyscallStep[] => [
  step("stage", "wait for the parent's go", "read", [slot("sock"), { bytes: new Uint8Array(8), text: '"g"' }, 1], {
    exact: true,
  }),
  step("stage", "modes as given", "umask", [0]),
  ...layerSteps("stage", spec, root),
  ...layerResolvConf(spec, "stage"),
  ...giveAway(spec),
  ...attachLower("stage"),
  overlayStep("stage", undefined, false),
  step("stage", "go back to the host's mount namespace", "setns", [slot("host.mnt"), CLONE.CLONE_NEWNS], {
    why: "a copy of the host's mounts would keep them busy as long as the container lives",
  }),
  step("stage", "let the container take its root", "write", [slot("made"), one, 8], {
    exact: true,
    why: "it waits for that",
  }),
];

/** The container's side of {@link stagedAfter}'s end. */
export const stagedWait = (): SyscallStep =>
  step("container", "wait until the root is made", "read", [slot("made"), one, 8], { exact: true });

/** In the place of clone's CLONE_NEWNS. */
export const stagedUnshare = (): SyscallStep =>
  step("container", "a mount namespace of its own", "unshare", [CLONE.CLONE_NEWNS], {
    why: "what it has from another user namespace's is locked as it is",
  });

/** A clone, since the mount itself is locked in its place: pivot_root(2) would say EINVAL. What locks `nodev` goes along. */
export const stagedRoot = ({ anchor }: RootSpec): SyscallStep[] => [
  step(
    "container",
    "clone the overlay's mount",
    "open_tree",
    [AT_FDCWD, `${anchor}/o`, OPEN_TREE.OPEN_TREE_CLONE | OPEN_TREE.OPEN_TREE_CLOEXEC | OPEN_TREE.AT_RECURSIVE],
    { store: true, why: "the mount itself is locked in its place, where pivot_root could not use it" },
  ),
  step("container", "keep it by number", "dup3", [REG, slot("root"), O.O_CLOEXEC]),
];
