/** /etc/resolv.conf of a container with an uplink: in the throw-away layer, or bound over the file of a root that stays. */
import { AT_FDCWD, O, OPEN_TREE } from "../ffi/flags.ts";
import { utf8 } from "../ffi/text.ts";
import { attach, finder, makeTarget, placeholder, step } from "./list.ts";
import type { ContainerSpec } from "./spec.ts";
import { type Arg, REG, type SyscallStep, slot } from "./step.ts";

const TARGET = "/etc/resolv.conf";
const SCRATCH = "resolv.conf";

/** A new file `path` below `dir` with `text`. O_EXCL: never through a link that lies there. */
function write(lane: "parent" | "stage" | "container", dir: Arg, path: string, text: string): SyscallStep[] {
  const bytes = utf8(text);
  const flags = O.O_WRONLY | O.O_CREAT | O.O_EXCL | O.O_NOFOLLOW | O.O_CLOEXEC;
  const [file, store] = lane === "parent" ? [slot("resolv"), "resolv"] : [REG, true as const];
  return [
    step(lane, `make ${path}`, "openat", [dir, path, flags, 0o644], { store }),
    step(lane, `write ${path}`, "write", [file, { bytes, text: JSON.stringify(text) }, bytes.length], { exact: true }),
  ];
}

/**
 * In the upper layer `u` before the overlay is mounted: there it hides whatever the root has in that place, a link to
 * anywhere too, and an ordinary user may do it over directories of somebody else's.
 */
export function layerResolvConf({ net }: ContainerSpec, lane: "parent" | "stage" | "container"): SyscallStep[] {
  if (net.mode !== "pasta") return [];
  const dir = lane === "parent" ? slot("layer") : AT_FDCWD;
  return [step(lane, "mkdir u/etc", "mkdirat", [dir, "u/etc", 0o755]), ...write(lane, dir, "u/etc/resolv.conf", net.resolvConf)];
}

/** The given directory keeps its own: ours is a file of the container's /dev, without a name there once it is mounted. */
export function boundResolvConf(spec: ContainerSpec): { prepare: SyscallStep[]; container: SyscallStep[] } {
  const { net, root } = spec;
  if (net.mode !== "pasta" || root?.layer !== "bind") return { prepare: [], container: [] };
  const flags = OPEN_TREE.OPEN_TREE_CLONE | OPEN_TREE.OPEN_TREE_CLOEXEC;
  const find = finder(spec, TARGET);
  return {
    prepare: [placeholder("resolv")],
    container: [
      ...write("container", slot("dev"), SCRATCH, net.resolvConf),
      step("container", "close it", "close", [REG], { why: "with a file open for writing /dev could not become read-only" }),
      step("container", "clone it as a mount", "open_tree", [slot("dev"), SCRATCH, flags], { store: true }),
      step("container", "keep it by number", "dup3", [REG, slot("resolv"), O.O_CLOEXEC]),
      ...makeTarget(TARGET, true, find),
      ...find(TARGET, `find ${TARGET}`),
      attach("resolv", `mount it on ${TARGET}`),
      step("container", "its name in /dev is not needed", "unlinkat", [slot("dev"), SCRATCH, 0]),
    ],
  };
}
