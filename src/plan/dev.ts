/** /dev: a tmpfs of its own with the few nodes that programs expect, whatever the rootfs has there. */
import { AT_FDCWD, MOUNT_ATTR, MS, S } from "../ffi/flags.ts";
import { attach, resolve, step } from "./list.ts";
import { detachedFs } from "./root.ts";
import type { ContainerSpec } from "./spec.ts";
import { type SyscallStep, slot } from "./step.ts";

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

const DIRECTORIES = ["pts", "shm", "mqueue"] as const;
const DEV_MODE = [["mode", "0755"] as const, ["size", "64k"] as const];

/** makedev(3) for small numbers. */
const device = (major: number, minor: number): number => (major << 8) | minor;

/** Privileged: the parent makes real nodes on a detached tmpfs. */
function prepared(): SyscallStep[] {
  return [
    ...detachedFs("tmpfs", DEV_MODE, MOUNT_ATTR.MOUNT_ATTR_NOSUID | MOUNT_ATTR.MOUNT_ATTR_NOEXEC, "dev"),
    ...NODES.map(([name, major, minor]) =>
      step("parent", `make /dev/${name}`, "mknodat", [slot("dev"), name, S.S_IFCHR | 0o666, device(major, minor)]),
    ),
    ...LINKS.map(([name, target]) => step("parent", `link /dev/${name}`, "symlinkat", [target, slot("dev"), name])),
    ...DIRECTORIES.map((name) => step("parent", `mkdir /dev/${name}`, "mkdirat", [slot("dev"), name, 0o755])),
  ];
}

/** Unprivileged: mknod is refused in a user namespace, so the host's nodes are bound on empty files. */
function bound(): SyscallStep[] {
  return [
    resolve("dev", "find /dev", true),
    step("container", "enter /dev", "fchdir", [{ reg: true }]),
    step("container", "mount a tmpfs on /dev", "mount", [
      "tmpfs",
      ".",
      "tmpfs",
      MS.MS_NOSUID | MS.MS_NOEXEC,
      "mode=0755,size=64k",
    ]),
    step("container", "return to the new root", "fchdir", [slot("root")]),
    ...NODES.flatMap(([name]) => [
      step("container", `a place for /dev/${name}`, "mknodat", [AT_FDCWD, `dev/${name}`, S.S_IFREG | 0o666, 0]),
      step("container", `bind the host's /dev/${name}`, "mount", [`/dev/${name}`, `dev/${name}`, null, MS.MS_BIND, null]),
    ]),
    ...LINKS.map(([name, target]) => step("container", `link /dev/${name}`, "symlinkat", [target, AT_FDCWD, `dev/${name}`])),
    ...DIRECTORIES.map((name) => step("container", `mkdir /dev/${name}`, "mkdirat", [AT_FDCWD, `dev/${name}`, 0o755])),
  ];
}

/** The terminals' group (5 on every distribution) exists where it is mapped. */
function ttyGroup(spec: ContainerSpec): string {
  const { mode } = spec.namespaces.user;
  const mapped = mode === "new" && spec.idMaps?.gid.some((m) => m.containerId <= 5 && 5 < m.containerId + m.size);
  return mapped || (spec.privileged && mode === "share") ? ",gid=5" : "";
}

export function devSteps(spec: ContainerSpec): { prepare: SyscallStep[]; container: SyscallStep[] } {
  const { MS_NOSUID, MS_NOEXEC, MS_NODEV } = MS;
  const place = spec.privileged ? [resolve("dev", "find /dev", true), attach("dev", "mount /dev")] : bound();
  const pts = `newinstance,ptmxmode=0666,mode=0620${ttyGroup(spec)}`;
  const ownIpc = spec.namespaces.ipc.mode === "new";
  return {
    prepare: spec.privileged ? prepared() : [],
    container: [
      ...place,
      step("container", "mount devpts on /dev/pts", "mount", ["devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, pts], {
        why: "an instance of its own: the host's terminals are not in it",
      }),
      step("container", "mount a tmpfs on /dev/shm", "mount", [
        "shm",
        "dev/shm",
        "tmpfs",
        MS_NOSUID | MS_NODEV | MS_NOEXEC,
        "mode=1777,size=65536k",
      ]),
      ...(ownIpc || (spec.privileged && spec.namespaces.user.mode === "share")
        ? [
            step("container", "mount mqueue on /dev/mqueue", "mount", [
              "mqueue",
              "dev/mqueue",
              "mqueue",
              MS_NOSUID | MS_NODEV | MS_NOEXEC,
              null,
            ]),
          ]
        : []),
    ],
  };
}
