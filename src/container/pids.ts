/** How many processes a container may have: pids.max of a cgroup of its own, Documentation/admin-guide/cgroup-v2.rst. */
import { removeGroup } from "../cgroup/empty.ts";
import { UsageError } from "../errors.ts";
import { readText } from "../ffi/file.ts";
import { AT_FDCWD } from "../ffi/flags.ts";
import { sys } from "../ffi/syscall.ts";
import type { ContainerSpec } from "../plan/spec.ts";
import type { ContainerOptions } from "./options.ts";

/** Enough for a build or a browser, too few for a fork bomb. */
const DEFAULT = 4096;
const TOP = "/sys/fs/cgroup";
const W_OK = 2;
const AT_EACCESS = 0x200;
/** Of PID_MAX_LIMIT, linux/threads.h. */
const MOST = 4_194_304;

const has = (path: string, word: string): boolean => {
  const text = readText(path);
  return typeof text === "string" && text.trim().split(" ").includes(word);
};
const writable = (path: string): boolean => sys("faccessat2", AT_FDCWD, path, W_OK, AT_EACCESS) === 0;

/**
 * The nearest v2 cgroup, at or above ours, whose children have the pids controller already and which we may add one to: nothing
 * that is there is changed for it. Undefined with v1 (whose moves of a process cost an RCU grace period), and without delegation.
 */
function parentGroup(): string | undefined {
  if (!has(`${TOP}/cgroup.controllers`, "pids")) return undefined;
  const groups = readText("/proc/self/cgroup");
  const line = typeof groups === "string" ? groups.split("\n").find((one) => one.startsWith("0::/")) : undefined;
  if (line === undefined || line.startsWith("0::/..")) return undefined;
  const own = line.slice(3) === "/" ? TOP : TOP + line.slice(3);
  for (let dir = own; dir.length >= TOP.length; dir = dir.slice(0, dir.lastIndexOf("/")))
    if (has(`${dir}/cgroup.subtree_control`, "pids") && writable(dir) && writable(`${dir}/cgroup.procs`)) return dir;
  return undefined;
}

/** The kernel has the call, and no outer container's filter hides it: it answers EINVAL to nothing. */
const hasClone3 = (): boolean => sys("clone3", null, 0) === -22;

function wanted(text: string | number | undefined): number | undefined {
  if (text === undefined) return DEFAULT;
  if (text === "max") return undefined;
  const number = /^[1-9][0-9]{0,6}$/.test(String(text)) ? Number(text) : 0;
  if (number < 1 || number > MOST) throw new UsageError(`--pids-limit ${text}: expected a number from 1 to ${MOST}, or max`);
  return number;
}

export interface Limited extends Pick<ContainerSpec, "cgroup" | "group"> {
  readonly release?: () => void;
}

let counter = 0;

/**
 * The container's own group, which the plan makes; one that exists when the plan begins where it has to be made otherwise; or
 * none, when none was asked for by name and none can be had.
 */
export async function limitedPids(options: ContainerOptions, name: string, uses: ContainerSpec["namespaces"]): Promise<Limited> {
  if (options.cgroup) {
    if (options.pidsLimit !== undefined) throw new UsageError("pidsLimit: the groups of cgroup have limits of their own");
    return { cgroup: options.cgroup };
  }
  const pids = wanted(options.pidsLimit);
  if (pids === undefined) return {};
  // in a mount namespace that is joined the path means something else
  const parent = uses.mnt.mode === "join" ? undefined : parentGroup();
  if (parent !== undefined && hasClone3()) {
    const dir = `${parent}/nsrun-${name}-${process.pid}-${++counter}`;
    return { group: { dir, pids }, release: () => removeGroup(dir) };
  }
  if (options.pidsLimit === undefined) return {};
  const { createGroup } = await import("../cgroup/group.ts");
  const group = createGroup(name, { pids });
  return { cgroup: group.directories, release: () => group[Symbol.dispose]() };
}
