/** Into a control group: the container's first process enters it itself, before it has children. cgroups(7). */
import { AT_FDCWD, CLONE, O } from "../ffi/flags.ts";
import { step } from "./list.ts";
import type { ContainerSpec } from "./spec.ts";
import { type SyscallStep, slot } from "./step.ts";

const directories = (spec: ContainerSpec): readonly string[] => spec.cgroup ?? [];
const ownNamespace = (spec: ContainerSpec): boolean => spec.namespaces.cgroup.mode === "new";

/** What clone(2) must leave out: the root of a new cgroup namespace is the cgroup its maker is in at that moment. */
export const cgroupFlags = (spec: ContainerSpec): number => (directories(spec).length > 0 ? CLONE.CLONE_NEWCGROUP : 0);

export const openCgroup = (spec: ContainerSpec): SyscallStep[] =>
  directories(spec).map((dir, i) =>
    step("parent", `open the cgroup ${dir}`, "openat", [AT_FDCWD, `${dir}/cgroup.procs`, O.O_WRONLY | O.O_CLOEXEC, 0], {
      store: `cgroup.${i}`,
      why: "whether a process may be moved there is decided by who has opened the file",
    }),
  );

/** `isolate`: and then makes its own cgroup namespace, where the spec wants a new one. */
export const enterCgroup = (spec: ContainerSpec, isolate = true): SyscallStep[] => [
  ...directories(spec).map((dir, i) =>
    step("container", `enter the cgroup ${dir}`, "write", [slot(`cgroup.${i}`), "0", 1], { why: "0 is the writer itself" }),
  ),
  ...(isolate && ownNamespace(spec) && directories(spec).length > 0
    ? [step("container", "a cgroup namespace that begins here", "unshare", [CLONE.CLONE_NEWCGROUP])]
    : []),
];
