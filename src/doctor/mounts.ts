/** File systems and calls from which a root is made. All below /proc of the child's own mount namespace: a directory that is there. */
import { procHint } from "../container/refusals.ts";
import { AT, AT_FDCWD, CLONE, FSCONFIG, MNT, MOVE_MOUNT, MS, O, OPEN_TREE, S } from "../ffi/flags.ts";
import { type Call, call, KEPT, keep, room } from "./child.ts";
import { asRoot, fork, type Host, inChild, isolated, ownMounts, type Probe, userNamespace } from "./probe.ts";

const PLACE = "/proc";

/** A tmpfs that is the working directory. */
export const workplace = (): Call[] => [
  call("mount a tmpfs", "mount", ["tmpfs", PLACE, "tmpfs", 0, "mode=755"]),
  call("enter it", "chdir", [PLACE]),
];
export const mkdir = (name: string): Call => call(`mkdir ${name}`, "mkdirat", [AT_FDCWD, name, 0o755]);
const create = (name: string): Call =>
  call(`write ${name}`, "openat", [AT_FDCWD, name, O.O_CREAT | O.O_RDWR | O.O_CLOEXEC, 0o644], { store: true });

const overlay = (options: string): Call[] => [
  ...workplace(),
  ...["lower", "lower/d", "upper", "work", "merged"].map(mkdir),
  create("lower/d/file"),
  call("mount the overlay", "mount", ["overlay", "merged", "overlay", 0, `lowerdir=lower,upperdir=upper,workdir=work${options}`]),
  create("merged/file"),
];
/** A directory that has whiteouts in the upper layer: its opaque copy needs user.* attributes, which tmpfs got in Linux 6.6. */
const remove: Call[] = [
  call("remove a file of the lower layer", "unlinkat", [AT_FDCWD, "merged/d/file", 0]),
  call("remove a directory of the lower layer", "unlinkat", [AT_FDCWD, "merged/d", AT.AT_REMOVEDIR]),
];
/** In a user namespace even where we are root. */
const insideUser = (host: Host): Call[] => [...userNamespace(host, CLONE.CLONE_NEWNS), isolated()];

/** A file system made without a path, in the register; KEPT + 1 and 2 are used. */
const detached = (type: string, settings: readonly Call[] = []): Call[] => [
  call(`open a ${type}`, "fsopen", [type, 1], { store: true }),
  keep(KEPT + 2),
  ...settings,
  call(`create the ${type}`, "fsconfig", [KEPT + 2, FSCONFIG.FSCONFIG_CMD_CREATE, null, null, 0]),
  call(`mount the ${type}, attached nowhere`, "fsmount", [KEPT + 2, 1, 0], { store: true }),
];
const layer = (key: string, name: string): Call[] => [
  call(`open ${name}`, "openat", [AT_FDCWD, name, O.O_PATH | O.O_DIRECTORY | O.O_CLOEXEC, 0], { store: true }),
  call(`${key} by descriptor`, "fsconfig", [KEPT + 2, FSCONFIG.FSCONFIG_SET_FD, key, null, { reg: true }]),
];

const byFork = (host: Host, flags: number, calls: readonly Call[]): Call[] => [
  ...ownMounts(host, CLONE.CLONE_NEWPID | flags),
  ...fork(calls),
];

const mountPlain = (type: string, options: string | null = null): Call =>
  call(`mount ${type}`, "mount", [type, PLACE, type, MS.MS_NOSUID | MS.MS_NOEXEC, options]);

const TIOCSPTLCK = 0x40045431;
const TIOCGPTPEER = 0x5441;
const pty = (): Call[] => [
  mountPlain("devpts", "newinstance,ptmxmode=0666,mode=0620"),
  call("open /dev/pts/ptmx", "openat", [AT_FDCWD, `${PLACE}/ptmx`, O.O_RDWR | O.O_NOCTTY | O.O_CLOEXEC, 0], { store: true }),
  call("unlock the terminal", "ioctl", [{ reg: true }, TIOCSPTLCK, room(8)]),
  call("open its other end", "ioctl", [{ reg: true }, TIOCGPTPEER, O.O_RDWR | O.O_NOCTTY | O.O_CLOEXEC]),
];

/** As in a container: real nodes as root, binds of the host's for who may not make any. */
const device = (host: Host): Call[] => [
  ...(host.privileged
    ? [call("make the device null", "mknodat", [AT_FDCWD, "null", S.S_IFCHR | 0o666, (1 << 8) | 3])]
    : [create("null"), call("bind the host's /dev/null", "mount", ["/dev/null", "null", null, MS.MS_BIND, null])]),
  call("open it", "openat", [AT_FDCWD, "null", O.O_RDWR | O.O_CLOEXEC, 0]),
];

const needs = ["mnt namespace"];
const newer = (version: string) => `a kernel from ${version} on`;

export const mountProbes: readonly Probe[] = [
  {
    name: "proc",
    lost: "a /proc of its own; only with --share pid",
    main: true,
    needs: ["pid namespace", ...needs],
    attempt: (host) => inChild(byFork(host, 0, [call("mount proc", "mount", ["proc", PLACE, "proc", 0, null])])),
    remedy: ({ code }) =>
      code === "EPERM" && procHint().includes("docker") ? "docker run --security-opt systempaths=unconfined …" : undefined,
  },
  {
    name: "sysfs",
    lost: "/sys inside",
    main: true,
    needs: ["net namespace", ...needs],
    attempt: (host) => inChild([...ownMounts(host, CLONE.CLONE_NEWNET), mountPlain("sysfs")]),
  },
  {
    name: "mqueue",
    lost: "POSIX message queues inside",
    main: true,
    needs: ["ipc namespace", ...needs],
    attempt: (host) => inChild([...ownMounts(host, CLONE.CLONE_NEWIPC), mountPlain("mqueue")]),
  },
  {
    name: "devpts",
    lost: "terminals inside: no job control",
    main: true,
    needs,
    attempt: (host) => inChild([...ownMounts(host), ...pty()]),
  },
  {
    name: "device nodes",
    lost: "/dev/null and its like inside",
    main: true,
    needs,
    attempt: (host) => inChild([...ownMounts(host), ...workplace(), ...device(host)]),
  },
  {
    name: "overlay",
    lost: "throw-away writable layers: only --rw",
    main: ({ admin }) => admin,
    needs,
    attempt: (host) => inChild([...ownMounts(host), ...overlay(host.privileged ? "" : ",userxattr")]),
    remedy: ({ code }) => (code === "ENODEV" ? asRoot("modprobe overlay") : undefined),
  },
  {
    name: "overlay in a user namespace",
    lost: "the same without root, and with --unshare user: only --rw --rootfs DIR",
    main: ({ admin }) => !admin,
    needs: ["user namespace"],
    attempt: (host) => inChild([...insideUser(host), ...overlay(",userxattr")]),
    remedy: ({ code }) => (code === "ENODEV" ? asRoot("modprobe overlay") : newer("5.11")),
  },
  {
    name: "overlay there: rmdir below",
    lost: "rm -r of directories that come from the rootfs, without root",
    needs: ["overlay in a user namespace"],
    attempt: (host) => inChild([...insideUser(host), ...overlay(",userxattr"), ...remove]),
    remedy: newer("6.6"),
  },
  {
    name: "overlay layers by descriptor",
    lost: "nothing but time: the root is made by paths",
    needs: ["new mount API"],
    attempt: (host) =>
      inChild([
        ...ownMounts(host),
        ...workplace(),
        ...["lower", "upper", "work"].map(mkdir),
        ...detached("overlay", [...layer("lowerdir+", "lower"), ...layer("upperdir", "upper"), ...layer("workdir", "work")]),
      ]),
    remedy: newer("6.15"),
  },
  {
    name: "new mount API",
    lost: "/proc, /sys and /dev by descriptor, volumes, --rw",
    main: true,
    needs,
    attempt: (host) =>
      inChild([
        ...ownMounts(host),
        ...detached("tmpfs"),
        keep(),
        call("attach it", "move_mount", [KEPT, "", AT_FDCWD, PLACE, MOVE_MOUNT.MOVE_MOUNT_F_EMPTY_PATH]),
      ]),
    remedy: newer("5.2"),
  },
  {
    name: "mount_setattr",
    lost: "read-only paths of /proc and /sys, volumes, --rw, and as root mounts with other owners",
    main: true,
    needs,
    attempt: (host) =>
      inChild([
        ...ownMounts(host),
        ...workplace(),
        call("clone the mount", "open_tree", [AT_FDCWD, PLACE, OPEN_TREE.OPEN_TREE_CLONE | OPEN_TREE.OPEN_TREE_CLOEXEC], {
          store: true,
        }),
        call("make the clone read-only", "mount_setattr", [
          { reg: true },
          "",
          AT.AT_EMPTY_PATH,
          { words: [1, 0, 0, 0], text: "{attr_set=MOUNT_ATTR_RDONLY}" },
          32,
        ]),
      ]),
    remedy: newer("5.12"),
  },
  {
    name: "pivot_root",
    lost: "leaving the old root for good: only --chroot",
    main: true,
    needs,
    attempt: (host) =>
      inChild([
        ...ownMounts(host),
        ...workplace(),
        call("change the root mount", "pivot_root", [".", "."]),
        call("detach the old root", "umount2", [".", MNT.MNT_DETACH]),
      ]),
    remedy: ({ code }) => (code === "EINVAL" ? "nsrun run --chroot …" : undefined),
  },
];
