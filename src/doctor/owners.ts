/** Mounts that show other owners than the disk: what root's default, a user namespace with a range of ids, is made of. */
import { AT, AT_FDCWD, FSCONFIG, MOUNT_ATTR, MOVE_MOUNT, O, OPEN_TREE } from "../ffi/flags.ts";
import { type Call, call, KEPT, keep } from "./child.ts";
import { mkdir, workplace } from "./mounts.ts";
import { inChild, type Probe } from "./probe.ts";
import { rangeMap, withSleeper } from "./sleeper.ts";

/** The mount that got other owners. */
const MOUNT = KEPT + 2;

const IDMAP: Call[] = [
  call("open its user namespace", "openat", [AT_FDCWD, "/proc/2/ns/user", O.O_RDONLY | O.O_CLOEXEC, 0], { store: true }),
  keep(),
];
const shift = call("give the mount other owners", "mount_setattr", [
  { reg: true },
  "",
  AT.AT_EMPTY_PATH,
  { words: [MOUNT_ATTR.MOUNT_ATTR_IDMAP, 0, 0, KEPT], text: "{attr_set=MOUNT_ATTR_IDMAP}" },
  32,
]);

const cloneOf = (path: string): Call[] => [
  call(
    `clone the mount at ${path}`,
    "open_tree",
    [AT_FDCWD, path, OPEN_TREE.OPEN_TREE_CLONE | OPEN_TREE.OPEN_TREE_CLOEXEC | OPEN_TREE.AT_RECURSIVE],
    {
      store: true,
    },
  ),
];
const freshTmpfs: Call[] = [
  call("open a tmpfs", "fsopen", ["tmpfs", 1], { store: true }),
  keep(KEPT + 1),
  call("create it", "fsconfig", [KEPT + 1, FSCONFIG.FSCONFIG_CMD_CREATE, null, null, 0]),
  call("mount it", "fsmount", [KEPT + 1, 1, 0], { store: true }),
];

const HOST = "as root, roots and volumes in a user namespace: only --userns host";

/** `then`: more calls, with the mount in {@link MOUNT}. `lost`: what one does without, where that is not the main job. */
const idmapped = (name: string, mount: readonly Call[], remedy: string, then: readonly Call[] = [], lost?: string): Probe => ({
  name,
  lost: lost ?? HOST,
  main: ({ privileged }) => privileged && lost === undefined,
  needs: ["proc", "mount_setattr"],
  attempt: (host) => {
    const map = host.admin ? { uid: rangeMap("uid_map"), gid: rangeMap("gid_map") } : { uid: "0 0 1\n", gid: "0 0 1\n" };
    return inChild(withSleeper(host, map, [...IDMAP, ...mount, shift, keep(MOUNT), ...then]));
  },
  remedy: ({ code }, { privileged }) => (privileged || code !== "EPERM" ? remedy : "sudo nsrun doctor"),
});

/** As a lower layer: the others are a tmpfs. */
const asLayer: Call[] = [
  ...workplace(),
  ...["lower", "upper", "work", "merged"].map(mkdir),
  call("attach the mount", "move_mount", [MOUNT, "", AT_FDCWD, "lower", MOVE_MOUNT.MOVE_MOUNT_F_EMPTY_PATH]),
  call("mount an overlay over it", "mount", ["overlay", "merged", "overlay", 0, "lowerdir=lower,upperdir=upper,workdir=work"]),
];

export const ownerProbes: readonly Probe[] = [
  idmapped(
    "idmapped mount of /",
    cloneOf("/"),
    "mount the root from a file system that can be: ext4, xfs, btrfs (Linux 5.12 on)",
  ),
  {
    ...idmapped("overlay over such a mount", cloneOf("/"), "a kernel from 5.19 on", asLayer),
    needs: ["idmapped mount of /", "overlay"],
  },
  idmapped(
    "idmapped tmpfs",
    freshTmpfs,
    "a kernel from 6.3 on",
    [],
    "as root a root in memory; else nothing: the stage makes the overlay",
  ),
];
