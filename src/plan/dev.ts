/** /dev: a tmpfs of its own with the few nodes that programs expect, whatever the rootfs has there. */
import { AT, AT_FDCWD, FSCONFIG, MOUNT_ATTR, MS, O, S } from "../ffi/flags.ts";
import { rootOutside } from "./identity.ts";
import { attach, mountAttr, placeholder, resolve, step } from "./list.ts";
import { detachedFs } from "./root.ts";
import { type ContainerSpec, mapped, type Recipe } from "./spec.ts";
import { REG, type SyscallStep, slot } from "./step.ts";

/** Character devices by major and minor number: Linux Documentation/admin-guide/devices.txt. */
export const NODES = [
  ["null", 1, 3],
  ["zero", 1, 5],
  ["full", 1, 7],
  ["random", 1, 8],
  ["urandom", 1, 9],
  ["tty", 5, 0],
] as const;

export const LINKS = [
  ["ptmx", "pts/ptmx"],
  ["fd", "/proc/self/fd"],
  ["stdin", "/proc/self/fd/0"],
  ["stdout", "/proc/self/fd/1"],
  ["stderr", "/proc/self/fd/2"],
] as const;

const ENODATA = 61;
const DIRECTORIES = ["pts", "shm", "mqueue"] as const;
const DEV_MODE = [["mode", "0755"] as const, ["size", "64k"] as const];
const DEV_FLAGS = MOUNT_ATTR.MOUNT_ATTR_NOSUID | MOUNT_ATTR.MOUNT_ATTR_NOEXEC;

/** makedev(3) for small numbers. */
const device = (major: number, minor: number): number => (major << 8) | minor;

/** Privileged: the parent makes real nodes on a detached tmpfs. */
function prepared(): SyscallStep[] {
  return [
    ...detachedFs("tmpfs", DEV_MODE, DEV_FLAGS, "dev"),
    ...NODES.map(([name, major, minor]) =>
      step("parent", `make /dev/${name}`, "mknodat", [slot("dev"), name, S.S_IFCHR | 0o666, device(major, minor)]),
    ),
    ...LINKS.map(([name, target]) => step("parent", `link /dev/${name}`, "symlinkat", [target, slot("dev"), name])),
    ...DIRECTORIES.map((name) => step("parent", `mkdir /dev/${name}`, "mkdirat", [slot("dev"), name, 0o755])),
  ];
}

/** Where tmpfs cannot map owners: all of it is given to root inside. "": the tmpfs itself. */
function givenAway(spec: ContainerSpec): SyscallStep[] {
  const { uid, gid } = rootOutside(spec);
  const flags = AT.AT_EMPTY_PATH | AT.AT_SYMLINK_NOFOLLOW;
  return ["", ...[...NODES, ...LINKS].map(([name]) => name), ...DIRECTORIES].map((name) =>
    step("parent", `give /dev${name === "" ? "" : `/${name}`} to root inside`, "fchownat", [slot("dev"), name, uid, gid, flags]),
  );
}

/** Overlay without them mounts, and then says EIO when a directory of the lower layer is removed. recipe.ts knows what to do. */
const attributesWork = (): SyscallStep =>
  step(
    "parent",
    "make sure of user.* attributes",
    "getxattr",
    [{ template: ["/proc/self/fd/", slot("dev")] }, "user.x", null, 0],
    { tolerate: ENODATA, why: "it has user.* attributes from Linux 6.6 on, and can map owners from 6.3 on" },
  );

const mappedDev = (spec: ContainerSpec, recipe: Recipe): SyscallStep[] =>
  recipe === "staged" ? givenAway(spec) : [attributesWork()];

/** Unprivileged: the container makes the tmpfs, attached nowhere, so that its descriptor is there before it has a path. */
function made(): SyscallStep[] {
  const { FSCONFIG_SET_STRING, FSCONFIG_CMD_CREATE } = FSCONFIG;
  const setting = ([key, value]: readonly [string, string]) =>
    step("container", `tmpfs: ${key}=${value}`, "fsconfig", [REG, FSCONFIG_SET_STRING, key, value, 0]);
  return [
    step("container", "open a tmpfs for dev", "fsopen", ["tmpfs", 1], { store: true }),
    ...[["source", "tmpfs"] as const, ...DEV_MODE].map(setting),
    step("container", "create the tmpfs", "fsconfig", [REG, FSCONFIG_CMD_CREATE, null, null, 0]),
    step("container", "mount the tmpfs, attached nowhere", "fsmount", [REG, 1, DEV_FLAGS], { store: true }),
    step("container", "keep it by number", "dup3", [REG, slot("dev"), O.O_CLOEXEC]),
  ];
}

/** Unprivileged: mknod is refused in a user namespace, so the host's nodes are bound on empty files. Standing in /dev. */
function bound(): SyscallStep[] {
  return [
    ...NODES.map(([name]) => [
      step("container", `a place for /dev/${name}`, "mknodat", [AT_FDCWD, name, S.S_IFREG | 0o666, 0]),
      step("container", `bind the host's /dev/${name}`, "mount", [`/dev/${name}`, name, null, MS.MS_BIND, null]),
    ]).flat(),
    ...LINKS.map(([name, target]) => step("container", `link /dev/${name}`, "symlinkat", [target, AT_FDCWD, name])),
    ...DIRECTORIES.map((name) => step("container", `mkdir /dev/${name}`, "mkdirat", [AT_FDCWD, name, 0o755])),
  ];
}

/** From here to the next fchdir every path is one of our own tmpfs: whoever can write into the rootfs cannot lead it elsewhere. */
export const enterDev = (): SyscallStep => step("container", "enter /dev by its descriptor", "fchdir", [slot("dev")]);

/** The terminals' group (5 on every distribution) exists where it is mapped. */
function ttyGroup(spec: ContainerSpec): string {
  const { mode } = spec.namespaces.user;
  const mapped = mode === "new" && spec.idMaps?.gid.some((m) => m.containerId <= 5 && 5 < m.containerId + m.size);
  return mapped || (spec.privileged && mode === "share") ? ",gid=5" : "";
}

/** A device file can be written all the same; a file, a link or a socket cannot be made any more. */
export const readOnlyDev = ({ root, readonlyPaths }: ContainerSpec): SyscallStep[] =>
  root && readonlyPaths.includes("/dev")
    ? [
        step("container", "make /dev read-only", "mount_setattr", [
          slot("dev"),
          "",
          AT.AT_EMPTY_PATH,
          mountAttr(MOUNT_ATTR.MOUNT_ATTR_RDONLY, 0),
          32,
        ]),
      ]
    : [];

export function devSteps(spec: ContainerSpec, recipe: Recipe): { prepare: SyscallStep[]; container: SyscallStep[] } {
  const { MS_NOSUID, MS_NOEXEC, MS_NODEV } = MS;
  const pts = `newinstance,ptmxmode=0666,mode=0620${ttyGroup(spec)}`;
  const ownIpc = spec.namespaces.ipc.mode === "new";
  return {
    prepare: spec.privileged ? [...prepared(), ...(mapped(spec) ? mappedDev(spec, recipe) : [])] : [placeholder("dev")],
    container: [
      ...(spec.privileged ? [] : made()),
      resolve("dev", "find /dev", true),
      attach("dev", "mount /dev"),
      enterDev(),
      ...(spec.privileged ? [] : bound()),
      step("container", "mount devpts on /dev/pts", "mount", ["devpts", "pts", "devpts", MS_NOSUID | MS_NOEXEC, pts], {
        why: "an instance of its own: the host's terminals are not in it",
      }),
      step("container", "mount a tmpfs on /dev/shm", "mount", [
        "shm",
        "shm",
        "tmpfs",
        MS_NOSUID | MS_NODEV | MS_NOEXEC,
        "mode=1777,size=65536k",
      ]),
      ...(ownIpc || (spec.privileged && spec.namespaces.user.mode === "share")
        ? [
            step("container", "mount mqueue on /dev/mqueue", "mount", [
              "mqueue",
              "mqueue",
              "mqueue",
              MS_NOSUID | MS_NODEV | MS_NOEXEC,
              null,
            ]),
          ]
        : []),
      step("container", "return to the new root", "fchdir", [slot("root")]),
    ],
  };
}
