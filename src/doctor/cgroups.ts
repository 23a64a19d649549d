/** The cgroup layout, and of each controller whether we may make a group that it limits: tried with an empty group. */
import { readText } from "../ffi/file.ts";
import { AT, AT_FDCWD, O } from "../ffi/flags.ts";
import { type Hierarchy, hierarchies, layout } from "./cgroup-tree.ts";
import { type Call, call } from "./child.ts";
import { type Attempt, inChild, looked, type Probe } from "./probe.ts";

const text = (path: string): string => {
  const found = readText(path);
  return typeof found === "number" ? "" : found;
};

const find = (): Hierarchy[] => hierarchies(text("/proc/self/cgroup"), text("/proc/self/mountinfo"));

/** Controller, its file that sets a limit in v1 and in v2, what is lost. io is called blkio in v1. */
const CONTROLLERS = [
  ["memory", "memory.limit_in_bytes", "memory.max", "limits of memory"],
  ["cpu", "cpu.shares", "cpu.max", "limits of processor time"],
  ["pids", "pids.max", "pids.max", "limits of the number of processes: a fork bomb takes the machine"],
  ["io", "blkio.throttle.read_bps_device", "io.max", "limits of reading and writing"],
  ["cpuset", "cpuset.cpus", "cpuset.cpus", "keeping to some processors"],
  ["freezer", "freezer.state", "cgroup.freeze", "pausing a container"],
  ["devices", "devices.deny", "", "device rules of v1 (v2: BPF)"],
] as const;

/** An empty group beside nobody, `file` in it opened for writing, and the group removed whatever happens. */
function tryGroup({ directory }: Hierarchy, file: string): Attempt {
  const group = `${directory}/nsrun-doctor-${process.pid}-${++count}`;
  const remove: Call = call("remove the group", "unlinkat", [AT_FDCWD, group, AT.AT_REMOVEDIR]);
  const make = call(`make a group in ${directory}`, "mkdirat", [AT_FDCWD, group, 0o755]);
  // the file is looked at by a child of its own: should that fail, the group is removed all the same
  return inChild([
    make,
    call("fork", "clone", [17, 0, 0, 0, 0], { jump: "remove" }),
    call(`open ${file}`, "openat", [AT_FDCWD, `${group}/${file}`, O.O_WRONLY | O.O_CLOEXEC, 0]),
    call("end", "exit_group", [0]),
    { ...call("wait for the child", "wait4", [-1, 0, 0, 0]), mark: "remove" },
    remove,
  ]);
}
let count = 0;

const DELEGATE = "systemd-run --user --scope -p Delegate=yes nsrun run …";

function controller([name, v1File, v2File, lost]: (typeof CONTROLLERS)[number]): Probe {
  const v1Name = name === "io" ? "blkio" : name;
  return {
    name: `cgroup ${name}`,
    lost,
    attempt: () => {
      const all = find();
      const v1 = all.find(({ version, controllers }) => version === 1 && controllers.includes(v1Name));
      if (v1) return tryGroup(v1, v1File);
      const v2 = all.find(({ version }) => version === 2);
      if (!v2 || v2File === "")
        return looked({ works: false, detail: v2 ? "no such controller in v2" : "no such hierarchy is mounted" });
      const available = `${text(`${v2.directory}/cgroup.controllers`)} freezer`.split(/\s+/);
      if (!available.includes(name)) return looked({ works: false, detail: `not among the controllers of ${v2.directory}` });
      return tryGroup(v2, v2File);
    },
    remedy: ({ code }, { admin, euid }) => {
      if (code === "EACCES" || code === "EPERM") return euid === 0 ? undefined : DELEGATE;
      const v2 = find().find(({ version }) => version === 2);
      if (code !== "ENOENT" || !v2 || !admin) return code === "ENOENT" && !admin ? DELEGATE : undefined;
      return `echo +${name} >${v2.directory}/cgroup.subtree_control`;
    },
  };
}

const WORDS = { v2: "v2", v1: "v1", hybrid: "v1 controllers, v2 beside them", none: "" };

export const cgroupProbes: readonly Probe[] = [
  {
    name: "cgroup layout",
    lost: "all limits by cgroup",
    attempt: () => {
      const kind = layout(find());
      return looked(
        kind === "none" ? { works: false, detail: "no cgroup file system is mounted" } : { works: true, detail: WORDS[kind] },
      );
    },
    remedy: "mount -t cgroup2 none /sys/fs/cgroup",
  },
  ...CONTROLLERS.map(controller),
  {
    name: "cgroup.kill",
    lost: "ending a whole group at once: processes are killed one by one",
    attempt: () => {
      const v2 = find().find(({ version }) => version === 2);
      return v2 ? tryGroup(v2, "cgroup.kill") : looked({ works: false, detail: "no v2 hierarchy is mounted" });
    },
    remedy: ({ code }) => (code === "ENOENT" ? "a kernel from 5.14 on" : code === "EACCES" ? DELEGATE : undefined),
  },
];
