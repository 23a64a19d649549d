/**
 * An overlay by paths, in a tmpfs that is mounted in the mount namespace of whoever makes it (the container, or the stage: staged.ts)
 * over some directory that is there. Nobody else sees it; it goes with the old root.
 */
import { AT, AT_FDCWD, MOVE_MOUNT, MS, OPEN_TREE } from "../ffi/flags.ts";
import { mountAttr, step } from "./list.ts";
import type { ContainerSpec, RootSpec } from "./spec.ts";
import { type Lane, type SyscallStep, slot } from "./step.ts";

/** The upper layer's own directories win over whatever the rootfs has there: a link, a file, nothing. */
export const mountPoints = ({ scratch }: ContainerSpec): string[] => [
  "dev",
  "proc",
  "sys",
  ...scratch.map((path) => path.slice(1)),
];

/** Upper and work directory, where the overlay will be, and the upper layer's own. */
export function layerSteps(lane: Lane, spec: ContainerSpec, { anchor }: RootSpec): SyscallStep[] {
  const why = "seen in this mount namespace only; it is under the old root and goes with it";
  return [
    step(lane, `mount a tmpfs for the layer on ${anchor}`, "mount", ["tmpfs", anchor, "tmpfs", MS.MS_NODEV, "mode=0755"], {
      why,
    }),
    step(lane, "enter it", "chdir", [anchor]),
    ...["u", "w", "o", ...mountPoints(spec).map((name) => `u/${name}`)].map((name) =>
      step(lane, `mkdir ${name}`, "mkdirat", [AT_FDCWD, name, 0o755]),
    ),
  ];
}

/** An unattached mount as the lower layer: it gets a name inside the layer's tmpfs, since the overlay wants a path. */
export const attachLower = (lane: Lane): SyscallStep[] => [
  step(lane, "mkdir l", "mkdirat", [AT_FDCWD, "l", 0o755]),
  step(lane, "mount the lower layer on it", "move_mount", [slot("lower"), "", AT_FDCWD, "l", MOVE_MOUNT.MOVE_MOUNT_F_EMPTY_PATH]),
];

const escapeLayer = (path: string): string => path.replace(/[\\:,]/g, "\\$&");

/** `lower`: a path, else what {@link attachLower} has attached. */
export function overlayStep(lane: Lane, lower: string | undefined, userxattr: boolean): SyscallStep {
  const data = `lowerdir=${lower === undefined ? "l" : escapeLayer(lower)},upperdir=u,workdir=w${userxattr ? ",userxattr" : ""}`;
  return step(
    lane,
    `mount the overlay over ${lower ?? "the lower layer"}`,
    "mount",
    ["overlay", "o", "overlay", MS.MS_NODEV, data],
    userxattr ? { why: "userxattr: trusted.* attributes need the initial user namespace" } : {},
  );
}

/** The lower layer as an unattached mount, whose owners can be mapped when the container's user namespace exists. */
export function mappedLower({ lower }: RootSpec): SyscallStep[] {
  if (typeof lower !== "string") return []; // an unattached mount of the container's own
  const flags = OPEN_TREE.OPEN_TREE_CLONE | OPEN_TREE.OPEN_TREE_CLOEXEC;
  return [
    step("parent", "clone the mount of the lower layer", "open_tree", [AT_FDCWD, lower, flags], { store: "lower" }),
    step("parent", "make the clone private", "mount_setattr", [
      slot("lower"),
      "",
      AT.AT_EMPTY_PATH,
      mountAttr(0, MS.MS_PRIVATE),
      32,
    ]),
  ];
}
