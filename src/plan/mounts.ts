/** What is mounted inside the root: proc, sysfs, /dev, then the user's mounts in the order given. */
import { AT, AT_FDCWD, MS, O, OPEN_TREE } from "../ffi/flags.ts";
import { devSteps } from "./dev.ts";
import { propagationFlags } from "./enter.ts";
import { attach, finder, makeTarget, mountAttr, placeholder, resolve, scratchSlot, step } from "./list.ts";
import { kernelFsSteps, maskSteps } from "./masks.ts";
import { pingSteps } from "./network.ts";
import { boundResolvConf } from "./resolv.ts";
import type { ContainerSpec, Mount, Recipe } from "./spec.ts";
import { REG, type SyscallStep, slot } from "./step.ts";

const back = () => step("container", "return to the new root", "fchdir", [slot("root")]);

/** mount(2) on what `find` resolved, through the working directory: no path is walked a second time. */
const mountHere = (found: SyscallStep[], what: string, args: [string, string, number, string | null]): SyscallStep[] => [
  ...found,
  step("container", found[0]!.label.replace("find", "enter"), "fchdir", [REG]),
  step("container", what, "mount", [args[0], ".", args[1], args[2], args[3]]),
  back(),
];

/** open_tree and mount_setattr of a volume, by whoever may: the parent, or the container in its own user namespace. */
function volumeSource(mount: Mount, index: number, privileged: boolean): { prepare: SyscallStep[]; container: SyscallStep[] } {
  const name = `volume${index}`;
  const { OPEN_TREE_CLONE, OPEN_TREE_CLOEXEC, AT_RECURSIVE } = OPEN_TREE;
  const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (mount.recursive ? AT_RECURSIVE : 0);
  const lane = privileged ? "parent" : "container";
  const tree = privileged ? slot(name) : REG;
  const attributes = (set: number, propagation: number, recursive: boolean, label: string) =>
    step(lane, label, "mount_setattr", [
      tree,
      "",
      AT.AT_EMPTY_PATH | (recursive ? AT.AT_RECURSIVE : 0),
      mountAttr(set, propagation),
      32,
    ]);
  const kind = propagationFlags(mount.propagation) & ~MS.MS_REC;
  const steps = [
    step(lane, `clone the mount at ${mount.source}`, "open_tree", [AT_FDCWD, mount.source, flags], {
      store: privileged ? name : true,
    }),
    attributes(0, kind, mount.recursive, `propagation of ${mount.target}: ${mount.propagation}`),
    ...(mount.flags ? [attributes(mount.flags, 0, mount.recursiveFlags, `options of ${mount.target}`)] : []),
  ];
  if (privileged) return { prepare: steps, container: [] };
  const keep = step("container", "keep it by number", "dup3", [REG, slot(name), O.O_CLOEXEC]);
  return { prepare: [placeholder(name)], container: [...steps, keep] };
}

function userMount(spec: ContainerSpec, mount: Mount, index: number): { prepare: SyscallStep[]; container: SyscallStep[] } {
  const find = finder(spec, mount.target, index);
  const found = find(mount.target, `find ${mount.target}`);
  if (mount.type === "bind") {
    const source = volumeSource(mount, index, spec.privileged);
    return {
      prepare: source.prepare,
      container: [
        ...source.container,
        ...makeTarget(mount.target, mount.file, find),
        ...found,
        attach(`volume${index}`, `mount ${mount.source} on ${mount.target}`),
      ],
    };
  }
  const args: [string, string, number, string | null] = [mount.source, mount.type, mount.flags, mount.data || null];
  return {
    prepare: [],
    container: [...makeTarget(mount.target, false, find), ...mountHere(found, `mount ${mount.type} on ${mount.target}`, args)],
  };
}

/** The upper layer's own directory is there: what the rootfs has in that place is out of reach. */
function scratchSteps({ scratch }: ContainerSpec): SyscallStep[] {
  const flags = MS.MS_NOSUID | MS.MS_NODEV;
  const mode = (path: string) => (path === "/tmp" ? "mode=1777" : "mode=0755");
  return scratch.flatMap((path) =>
    mountHere([resolve(path, `find ${path}`, true)], `mount a tmpfs on ${path}`, ["tmpfs", "tmpfs", flags, mode(path)]),
  );
}

/** For finder(): what they are, to know them from other mounts. */
const keepScratch = ({ scratch, mounts }: ContainerSpec): SyscallStep[] =>
  mounts.length === 0
    ? []
    : scratch.flatMap((path) => [
        resolve(path, `open ${path}`, true),
        step("container", "keep it by number", "dup3", [REG, scratchSlot(path), O.O_CLOEXEC]),
      ]);

/** All mounts of a container with a root of its own. */
export function mountSteps(spec: ContainerSpec, recipe: Recipe): { prepare: SyscallStep[]; container: SyscallStep[] } {
  const kernelFs = kernelFsSteps(spec);
  const dev = devSteps(spec, recipe);
  const masks = maskSteps(spec);
  const resolvers = boundResolvConf(spec);
  const user = spec.mounts.map((mount, i) => userMount(spec, mount, i));
  return {
    prepare: [
      ...(user.length > 0 ? spec.scratch.map((path) => placeholder(scratchSlot(path).slot)) : []),
      ...kernelFs.prepare,
      ...dev.prepare,
      ...masks.prepare,
      ...resolvers.prepare,
      ...user.flatMap((m) => m.prepare),
    ],
    container: [
      ...kernelFs.container,
      ...pingSteps(spec),
      ...dev.container,
      ...masks.container,
      ...scratchSteps(spec),
      ...keepScratch(spec),
      ...resolvers.container,
      ...user.flatMap((m) => m.container),
    ],
  };
}
