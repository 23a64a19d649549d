/** The cgroup layout, and of each controller whether a group that it limits can be made: tried with an empty group. */
import { type Hierarchy, hierarchies } from "../cgroup/layout.ts";
import { readText } from "../ffi/file.ts";
import { AT, AT_FDCWD, O } from "../ffi/flags.ts";
import { sys } from "../ffi/syscall.ts";
import { call } from "./child.ts";
import { type Attempt, asRoot, type Finding, fork, type Host, inChild, looked, type Probe } from "./probe.ts";

const text = (path: string): string => {
  const found = readText(path);
  return typeof found === "number" ? "" : found;
};
const words = (path: string): string[] => text(path).trim().split(/\s+/).filter(Boolean);

const find = (): Hierarchy[] => hierarchies(text("/proc/self/cgroup"), text("/proc/self/mountinfo"));

interface Controller {
  readonly name: string;
  /** Its name in v1, and the file there that sets a limit. */
  readonly v1: readonly [name: string, file: string];
  /** The file in v2. */
  readonly v2: string;
  /** Part of every v2 group, not to be switched on. */
  readonly core?: true;
  readonly lost: string;
}

const CONTROLLERS: readonly Controller[] = [
  { name: "memory", v1: ["memory", "memory.limit_in_bytes"], v2: "memory.max", lost: "limits of memory" },
  { name: "cpu", v1: ["cpu", "cpu.shares"], v2: "cpu.max", lost: "limits of processor time" },
  { name: "pids", v1: ["pids", "pids.max"], v2: "pids.max", lost: "limits of processes: a fork bomb takes the machine" },
  { name: "io", v1: ["blkio", "blkio.throttle.read_bps_device"], v2: "io.max", lost: "limits of reading and writing" },
  { name: "cpuset", v1: ["cpuset", "cpuset.cpus"], v2: "cpuset.cpus", lost: "keeping to some processors" },
  { name: "freezer", v1: ["freezer", "freezer.state"], v2: "cgroup.freeze", core: true, lost: "pausing a container" },
];

let count = 0;
const ENOENT = 2;

/** An empty group in `parent`, in which `file` can be opened for writing; it is removed whatever comes of it. */
function tryGroup(parent: string, file: string): Attempt {
  const group = `${parent}/nsrun-doctor-${process.pid}-${++count}`;
  return inChild([
    ...fork([
      call(`make a group in ${parent}`, "mkdirat", [AT_FDCWD, group, 0o755]),
      call(`open ${file} there`, "openat", [AT_FDCWD, `${group}/${file}`, O.O_WRONLY | O.O_CLOEXEC, 0]),
    ]),
    call("remove the group", "unlinkat", [AT_FDCWD, group, AT.AT_REMOVEDIR], { tolerate: ENOENT }),
  ]);
}

/** From our own cgroup upwards. */
function ancestors({ own, top }: Hierarchy): string[] {
  const list: string[] = [];
  for (let dir = own; dir.length >= top.length; dir = dir.slice(0, dir.lastIndexOf("/"))) list.push(dir);
  return list;
}

const W_OK = 2;
const AT_EACCESS = 0x200;
const writable = (path: string): boolean => sys("faccessat2", AT_FDCWD, path, W_OK, AT_EACCESS) === 0;
const exists = (path: string): boolean => sys("faccessat2", AT_FDCWD, path, 0, 0) === 0;

/** Switching on is not tried: it would change what others see. Only the top may have processes and controllers both. */
function switchable(dir: string, name: string, top: string): boolean {
  if (!words(`${dir}/cgroup.controllers`).includes(name) || !writable(`${dir}/cgroup.subtree_control`)) return false;
  return writable(dir) && (dir === top || words(`${dir}/cgroup.procs`).length === 0);
}

function tryV2(v2: Hierarchy, { name, v2: file, core }: Controller): Attempt {
  const dirs = ancestors(v2);
  const on = dirs.find((dir) => (core || words(`${dir}/cgroup.subtree_control`).includes(name)) && writable(dir));
  if (on !== undefined) return tryGroup(on, file);
  const could = dirs.find((dir) => switchable(dir, name, v2.top));
  if (could !== undefined) return looked({ works: true, detail: `can be switched on in ${could}` });
  const there =
    core || words(`${v2.top}/cgroup.controllers`).includes(name) || words(`${v2.own}/cgroup.controllers`).includes(name);
  return looked({ works: false, detail: there ? `not delegated: ${v2.own}` : "no hierarchy has it" });
}

function attempt(controller: Controller): Attempt {
  const all = find();
  const [v1Name, v1File] = controller.v1;
  const v1 = all.find(({ controllers }) => controllers.includes(v1Name));
  if (v1) return tryGroup(v1.own, v1File);
  const v2 = all.find(({ version }) => version === 2);
  return v2 ? tryV2(v2, controller) : looked({ works: false, detail: "no hierarchy has it" });
}

/** With systemd a scope of one's own; else a group that is given away, and the shell in it: cgroups(7), "Cgroup delegation". */
function delegation({ code, detail = "" }: Finding, { euid, egid }: Host): string | undefined {
  const [, dir] = /(?:make a group in|not delegated:) ([^\s:]+)/.exec(detail) ?? [];
  if (euid === 0 || dir === undefined || (code !== "EACCES" && !detail.startsWith("not delegated"))) return undefined;
  const v2 = text(`${dir}/cgroup.controllers`) !== "";
  if (v2 && exists("/run/systemd/system")) return "systemd-run --user --scope -p Delegate=yes nsrun run …";
  const group = `${dir}/user-${euid}`;
  return `sudo sh -c "mkdir ${group}; chown -R ${euid}:${egid} ${group}; echo $$ >${group}/cgroup.procs"`;
}

const controllerProbe = (controller: Controller): Probe => ({
  name: `cgroup ${controller.name}`,
  lost: controller.lost,
  attempt: () => attempt(controller),
  remedy: delegation,
});

/** systemd's words: unified, legacy, hybrid. */
function layout(): Finding {
  const found = find();
  const [v1, v2] = [1, 2].map((version) => found.some((hierarchy) => hierarchy.version === version));
  if (v1 && v2) return { works: true, detail: "v1 for the controllers, v2 beside them (hybrid)" };
  if (v1 || v2) return { works: true, detail: v2 ? "v2" : "v1" };
  return { works: false, detail: "no cgroup file system can be seen" };
}

export const cgroupProbes: readonly Probe[] = [
  {
    name: "cgroup layout",
    lost: "all limits by cgroup",
    attempt: () => looked(layout()),
    remedy: () => asRoot("mount -t cgroup2 none /sys/fs/cgroup"),
  },
  ...CONTROLLERS.map(controllerProbe),
  {
    name: "cgroup.kill",
    lost: "ending a whole group at once: processes are killed one by one",
    attempt: () => {
      const v2 = find().find(({ version }) => version === 2);
      const dir = v2 && (ancestors(v2).find(writable) ?? v2.own);
      return dir === undefined ? looked({ works: false, detail: "no v2 hierarchy can be seen" }) : tryGroup(dir, "cgroup.kill");
    },
    remedy: (finding, host) => (finding.code === "ENOENT" ? "a kernel from 5.14 on" : delegation(finding, host)),
  },
];
