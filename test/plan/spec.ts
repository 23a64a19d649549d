/** A complete specification for tests of the pure parts, and what tests change in it. */

import type { ContainerSpec, Namespace, NamespaceUse } from "../../src/plan/spec.ts";
import { INIT_FILTER } from "../../src/security/default-filter.ts";

const NEW: NamespaceUse = { mode: "new" };
const SHARE: NamespaceUse = { mode: "share" };

export function spec(changes: Partial<ContainerSpec> = {}): ContainerSpec {
  const namespaces: Record<Namespace, NamespaceUse> = {
    pid: NEW,
    net: NEW,
    mnt: NEW,
    uts: NEW,
    ipc: NEW,
    cgroup: NEW,
    user: SHARE,
    time: SHARE,
  };
  return {
    name: "box",
    namespaces,
    root: { lower: "/lower", layer: "overlay", readOnly: false, chroot: false, anchor: "/mnt" },
    mounts: [],
    maskedPaths: [
      { path: "/proc/kcore", directory: false },
      { path: "/proc/keys", directory: false },
      { path: "/proc/acpi", directory: true },
      { path: "/sys/firmware", directory: true },
    ],
    readonlyPaths: ["/proc/sys", "/sys", "/sys/fs/cgroup", "/dev"],
    scratch: ["/tmp", "/run"],
    propagation: "private",
    hostname: "box",
    domainname: undefined,
    timeOffsets: { monotonic: 0, boottime: 0 },
    idMaps: undefined,
    net: { mode: "none" },
    process: {
      args: ["true"],
      env: ["PATH=/bin:/sbin"],
      cwd: "/",
      uid: 0,
      gid: 0,
      groups: [],
      setgroups: true,
      rlimits: [],
      capabilities: { bounding: ["CAP_CHOWN", "CAP_KILL"], ambient: [], init: ["CAP_KILL"] },
      noNewPrivileges: true,
      newKeyring: true,
      seccomp: { filter: INIT_FILTER.x64, init: INIT_FILTER.x64, flags: 0, own: true },
      init: true,
      stdio: ["inherit", "inherit", "inherit"],
      terminal: undefined,
    },
    privileged: true,
    ...changes,
  };
}

/** An unprivileged caller: a user namespace with one id. */
export function rootless(changes: Partial<ContainerSpec> = {}): ContainerSpec {
  const base = spec();
  const one = [{ containerId: 0, hostId: 1000, size: 1 }];
  return {
    ...base,
    namespaces: { ...base.namespaces, user: NEW },
    idMaps: { uid: one, gid: one, setgroups: false },
    process: { ...base.process, setgroups: false },
    privileged: false,
    ...changes,
  };
}
