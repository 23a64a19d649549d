/** Into a control group: the container's first process is born there, or enters it itself before it has children. cgroups(7). */
import { AT, AT_FDCWD, CLONE, CLONE_INTO_CGROUP, names, O } from "../ffi/flags.ts";
import { placeholder, step } from "./list.ts";
import type { ContainerSpec } from "./spec.ts";
import { REG, type SyscallStep, slot } from "./step.ts";

const ownNamespace = (spec: ContainerSpec): boolean => spec.namespaces.cgroup.mode === "new";
const inGroups = ({ cgroup = [], group }: ContainerSpec): boolean => cgroup.length > 0 || group !== undefined;

/** What clone(2) must leave out: the root of a new cgroup namespace is the cgroup its maker is in at that moment. */
export const cgroupFlags = (spec: ContainerSpec): number => (inGroups(spec) ? CLONE.CLONE_NEWCGROUP : 0);

/** `joining`: the group that the container was born in as well. */
export const openCgroup = ({ cgroup = [], group }: ContainerSpec, joining = false): SyscallStep[] => [
  ...[...cgroup, ...(joining && group ? [group.dir] : [])].map((dir, i) =>
    step("parent", `open the cgroup ${dir}`, "openat", [AT_FDCWD, `${dir}/cgroup.procs`, O.O_WRONLY | O.O_CLOEXEC, 0], {
      store: `cgroup.${i}`,
      why: "whether a process may be moved there is decided by who has opened the file",
    }),
  ),
  ...(group && !joining ? [placeholder("group")] : []),
];

const enter = (dir: string, i: number): SyscallStep =>
  step("container", `enter the cgroup ${dir}`, "write", [slot(`cgroup.${i}`), "0", 1], { why: "0 is the writer itself" });

/** And then its own cgroup namespace, where the spec wants a new one. */
export const enterCgroup = (spec: ContainerSpec): SyscallStep[] => [
  ...(spec.cgroup ?? []).map(enter),
  ...(ownNamespace(spec) && inGroups(spec)
    ? [step("container", "a cgroup namespace that begins here", "unshare", [CLONE.CLONE_NEWCGROUP])]
    : []),
];

/** Who joins is in that namespace already. */
export const joinCgroup = ({ cgroup = [], group }: ContainerSpec): SyscallStep[] =>
  [...cgroup, ...(group ? [group.dir] : [])].map(enter);

/** By the stage: whatever ends nsrun, the stage is there to remove it. */
export function makeGroup({ group }: ContainerSpec): SyscallStep[] {
  if (!group) return [];
  const { dir, pids } = group;
  const limit = String(pids);
  return [
    step("stage", `make the cgroup ${dir}`, "mkdirat", [AT_FDCWD, dir, 0o755]),
    step("stage", "open its limit", "openat", [AT_FDCWD, `${dir}/pids.max`, O.O_WRONLY | O.O_CLOEXEC, 0], { store: true }),
    step("stage", `at most ${limit} processes`, "write", [REG, limit, limit.length], { exact: true }),
    step("stage", "close it", "close", [REG]),
    step("stage", "open the cgroup", "openat", [AT_FDCWD, dir, O.O_PATH | O.O_DIRECTORY | O.O_CLOEXEC, 0], { store: true }),
    step("stage", "keep it by number", "dup3", [REG, slot("group"), O.O_CLOEXEC]),
  ];
}

const SIGCHLD = 17;

/** clone(2), or clone3(2) into the group: to move a process there afterwards costs an RCU grace period. */
export function cloneContainer({ group }: ContainerSpec, flags: number): SyscallStep {
  const extra = { jump: "watch", why: `namespaces: ${names(CLONE, flags)}` };
  const all = flags | CLONE.CLONE_PARENT_SETTID;
  if (!group) return step("stage", "clone the container", "clone", [all | SIGCHLD, 0, slot("rec.a"), 0, 0], extra);
  // struct clone_args: flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup
  const words = [all + CLONE_INTO_CGROUP, 0, 0, slot("rec.a"), SIGCHLD, 0, 0, 0, 0, 0, slot("group")];
  const text = `{flags=${names(CLONE, all)}|CLONE_INTO_CGROUP, parent_tid=<rec.a>, exit_signal=SIGCHLD, stack=NULL, stack_size=0, cgroup=<group>}`;
  return step("stage", "clone the container into it", "clone3", [{ words, text }, 8 * words.length], extra);
}

const ENOENT = 2;

/** When the container is dead. */
export const removeGroup = ({ group }: ContainerSpec): SyscallStep[] =>
  group
    ? [step("stage", `remove the cgroup ${group.dir}`, "unlinkat", [AT_FDCWD, group.dir, AT.AT_REMOVEDIR], { tolerate: ENOENT })]
    : [];
