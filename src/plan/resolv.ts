/** /etc/resolv.conf of a container with an uplink: in the throw-away layer, or bound over the file of a root that stays. */
import { AT_FDCWD, O, OPEN_TREE } from "../ffi/flags.ts";
import { attach, EEXIST, makeTarget, placeholder, resolve, step } from "./list.ts";
import type { ContainerSpec } from "./spec.ts";
import { type Arg, REG, type SyscallStep, slot } from "./step.ts";

const TARGET = "/etc/resolv.conf";
const SCRATCH = "dev/resolv.conf";
const ENOENT = 2;

/** A new file `name` in `dir` with `text`. O_EXCL: never through a link that lies there. */
function write(dir: Arg, name: string, text: string): SyscallStep[] {
  const bytes = Buffer.from(text);
  const flags = O.O_WRONLY | O.O_CREAT | O.O_EXCL | O.O_NOFOLLOW | O.O_CLOEXEC;
  return [
    step("container", `make ${name}`, "openat", [dir, name, flags, 0o644], { store: true }),
    step("container", `write ${name}`, "write", [REG, { bytes, text: JSON.stringify(text) }, bytes.length], { exact: true }),
  ];
}

/** What the root has there, link or file, is replaced in the upper layer. */
const inLayer = (text: string): SyscallStep[] => [
  step("container", "mkdir /etc", "mkdirat", [slot("root"), "etc", 0o755], { tolerate: EEXIST }),
  resolve("/etc", "find /etc"),
  step("container", "remove the root's resolv.conf", "unlinkat", [REG, "resolv.conf", 0], {
    tolerate: ENOENT,
    why: "only in the throw-away layer; it may be a link to anywhere",
  }),
  ...write(REG, "resolv.conf", text),
];

/** The given directory keeps its own: ours is a file of the container's /dev, without a name there once it is mounted. */
const bound = (text: string): SyscallStep[] => [
  ...write(AT_FDCWD, SCRATCH, text),
  step(
    "container",
    "clone it as a mount",
    "open_tree",
    [AT_FDCWD, SCRATCH, OPEN_TREE.OPEN_TREE_CLONE | OPEN_TREE.OPEN_TREE_CLOEXEC],
    {
      store: true,
    },
  ),
  step("container", "keep it by number", "dup3", [REG, slot("resolv"), O.O_CLOEXEC]),
  ...makeTarget(TARGET, true),
  resolve(TARGET, `find ${TARGET}`),
  attach("resolv", `mount it on ${TARGET}`),
  step("container", "its name in /dev is not needed", "unlinkat", [AT_FDCWD, SCRATCH, 0]),
];

/** Before the user's mounts, which may lie over it. */
export function resolvConfSteps({ net, root }: ContainerSpec): { prepare: SyscallStep[]; container: SyscallStep[] } {
  if (net.mode !== "pasta" || !root) return { prepare: [], container: [] };
  if (root.layer === "overlay") return { prepare: [], container: inLayer(net.resolvConf) };
  return { prepare: [placeholder("resolv")], container: bound(net.resolvConf) };
}
