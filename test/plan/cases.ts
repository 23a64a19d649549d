/** Plans of typical containers, for the tests of what is made of a plan. */
import { cidrOf } from "../../src/net/cidr.ts";
import { buildPlan } from "../../src/plan/build.ts";
import type { Mount } from "../../src/plan/spec.ts";
import type { Plan } from "../../src/plan/step.ts";
import { rootless, spec } from "./spec.ts";

const bind: Mount = {
  type: "bind",
  source: "/src",
  target: "/a/b",
  flags: 1,
  data: "",
  recursive: true,
  recursiveFlags: true,
  propagation: "private",
  file: false,
};
export const base = spec();
const one = (containerId: number, hostId: number, size = 1) => ({ containerId, hostId, size });
const veth = {
  mode: "veth" as const,
  hostName: "nsr0",
  alias: "nsrun:box",
  name: "eth0",
  subnet: { host: cidrOf(Uint8Array.of(10, 0, 0, 1), 24), container: cidrOf(Uint8Array.of(10, 0, 0, 2), 24) },
  gateway: "10.0.0.1",
  removal: new Uint8Array(40),
};

const uplink = {
  mode: "pasta" as const,
  program: "/usr/bin/pasta",
  args: ["pasta", "--netns", "/proc/self/fd/0"],
  hands: "net" as const,
  resolvConf: "nameserver 10.0.2.3\n",
  control: undefined,
};
const byProcess = { ...uplink, hands: "process" as const, control: { path: "/tmp/s", requests: ["{}"] } };

const elsewhere = {
  namespaces: { ...base.namespaces, user: { mode: "new" as const } },
  idMaps: { uid: [one(0, 100000, 65536)], gid: [one(0, 200000, 65536)], setgroups: true },
};

export const CASES: Record<string, Plan> = {
  default: buildPlan(base),
  cgroup: buildPlan(spec({ cgroup: ["/sys/fs/cgroup/nsrun-box-1-1", "/sys/fs/cgroup/pids/nsrun-box-1-1"] })),
  landlock: buildPlan(
    spec({
      process: {
        ...base.process,
        landlock: {
          fs: 0xffff,
          net: 3,
          scoped: 3,
          paths: [{ path: "/bin", access: 13, onFile: 5, text: "execute|read-file|read-dir" }],
          ports: [{ port: 443, access: 2, text: "connect" }],
          alone: true,
        },
      },
    }),
  ),
  "by-paths": buildPlan(base, "paths"),
  rootless: buildPlan(rootless()),
  "rootless-range": buildPlan(
    rootless({
      idMaps: {
        uid: [one(0, 1000), one(1, 100000, 65536)],
        gid: [one(0, 1000), one(1, 100000, 65536)],
        setgroups: true,
        writers: { uid: "/usr/bin/newuidmap", gid: "/usr/bin/newgidmap" },
      },
      process: { ...base.process, uid: 33, gid: 33 },
    }),
  ),
  group: buildPlan(spec({ group: { dir: "/sys/fs/cgroup/nsrun-box-1-1", pids: 4096 } })),
  "root-mapped-elsewhere": buildPlan(spec(elsewhere)),
  "root-mapped-staged": buildPlan(spec({ ...elsewhere, mounts: [bind] }), "staged"),
  "root-mapped-staged-uplink": buildPlan(spec({ ...elsewhere, net: uplink }), "staged"),
  "root-mapped-staged-rw": buildPlan(
    spec({ ...elsewhere, scratch: [], root: { lower: "/lower", layer: "bind", readOnly: false, chroot: false, anchor: "/mnt" } }),
    "staged",
  ),
  "rootless-volume": buildPlan(rootless({ mounts: [bind] })),
  bare: buildPlan(spec({ net: veth, process: { ...base.process, init: false } })),
  uplink: buildPlan(spec({ net: uplink })),
  "uplink-rw": buildPlan(
    spec({ net: uplink, scratch: [], root: { lower: "/lower", layer: "bind", readOnly: false, chroot: false, anchor: "/mnt" } }),
  ),
  "uplink-rootless-slirp": buildPlan(rootless({ net: byProcess })),
  "volume-and-tmpfs": buildPlan(
    spec({ mounts: [{ ...bind, type: "tmpfs", source: "tmpfs", target: "/t", flags: 6, data: "size=1m" }, bind] }),
  ),
  "rw-chroot-read-only": buildPlan(
    spec({
      scratch: [],
      root: { lower: "/lower", layer: "bind", readOnly: true, chroot: true, anchor: "/mnt" },
      propagation: "rslave",
    }),
  ),
  "user-and-time": buildPlan(
    spec({
      namespaces: { ...base.namespaces, user: { mode: "new" }, time: { mode: "new" } },
      idMaps: {
        uid: [{ containerId: 0, hostId: 0, size: 4294967295 }],
        gid: [{ containerId: 0, hostId: 0, size: 4294967295 }],
        setgroups: true,
      },
      timeOffsets: { monotonic: 60, boottime: -5 },
    }),
  ),
  "root-mapped-joined-net": buildPlan(
    spec({ ...elsewhere, namespaces: { ...elsewhere.namespaces, net: { mode: "join", path: "/run/netns/x" } } }),
  ),
  "joined-pid": buildPlan(
    rootless({
      namespaces: {
        ...base.namespaces,
        pid: { mode: "join", path: "/proc/9/ns/pid" },
        user: { mode: "join", path: "/proc/9/ns/user" },
      },
    }),
  ),
  join: buildPlan(
    spec({
      namespaces: {
        ...base.namespaces,
        net: { mode: "join", path: "/run/netns/x" },
        user: { mode: "join", path: "/proc/9/ns/user" },
      },
    }),
  ),
};
