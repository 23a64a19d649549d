/** What is mounted inside the root: proc, sysfs, /dev, then the user's mounts in the order given. */
import { AT, AT_FDCWD, MS, O, OPEN_TREE } from "../ffi/flags.ts";
import { devSteps } from "./dev.ts";
import { propagationFlags } from "./enter.ts";
import {
  attach,
  belowSlot,
  finder,
  isBelow,
  makeTarget,
  mountAttr,
  placeholder,
  resolve,
  scratchSlot,
  step,
  volumeSlot,
} from "./list.ts";
import { kernelFsSteps, maskSteps } from "./masks.ts";
import { pingSteps } from "./network.ts";
import { boundResolvConf } from "./resolv.ts";
import type { ContainerSpec, Mount, Recipe } from "./spec.ts";
import { REG, type Slot, type SyscallStep, slot } from "./step.ts";

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
  const name = volumeSlot(index).slot;
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
        attach(volumeSlot(index).slot, `mount ${mount.source} on ${mount.target}`),
      ],
    };
  }
  const args: [string, string, number, string | null] = [mount.source, mount.type, mount.flags, mount.data || null];
  const what = `mount ${mount.type} on ${mount.target}`;
  const made = makeTarget(mount.target, false, find);
  if (!spec.mounts.some((later, i) => i > index && isBelow(later.target, mount.target)))
    return { prepare: [], container: [...made, ...mountHere(found, what, args)] };
  return {
    prepare: [placeholder(volumeSlot(index).slot)],
    container: [...mountAside(mount, index, args), ...made, ...found, attach(volumeSlot(index).slot, what)],
  };
}

/** A later mount has to be found on this one, so its descriptor is taken where nobody else gets between: in our own /dev. */
const mountAside = ({ type, target }: Mount, index: number, args: [string, string, number, string | null]): SyscallStep[] => [
  step("container", "go to our own /dev", "fchdir", [slot("dev")]),
  step("container", `mount the ${type} for ${target} there`, "mount", [args[0], "shm", args[1], args[2], args[3]]),
  step("container", "open the mount", "open_tree", [AT_FDCWD, "shm", OPEN_TREE.OPEN_TREE_CLOEXEC], { store: true }),
  step("container", "keep it by number", "dup3", [REG, volumeSlot(index), O.O_CLOEXEC]),
  back(),
];

/** The upper layer's own directory is there: what the rootfs has in that place is out of reach. */
function scratchSteps({ scratch }: ContainerSpec): SyscallStep[] {
  const flags = MS.MS_NOSUID | MS.MS_NODEV;
  const mode = (path: string) => (path === "/tmp" ? "mode=1777" : "mode=0755");
  return scratch
    .map((path) =>
      mountHere([resolve(path, `find ${path}`, true)], `mount a tmpfs on ${path}`, ["tmpfs", "tmpfs", flags, mode(path)]),
    )
    .flat();
}

/** For finder(): the mounts that it has to know from others, open before the first of the user's is there. */
function known({ scratch, mounts, root }: ContainerSpec): [path: string, slot: Slot][] {
  if (mounts.length === 0) return [];
  const below = (root?.below ?? []).filter((path) => mounts.some(({ target }) => isBelow(target, path)));
  return [
    ...scratch.map((path): [string, Slot] => [path, scratchSlot(path)]),
    ...below.map((path): [string, Slot] => [path, belowSlot(path)]),
  ];
}

const keepKnown = (spec: ContainerSpec): SyscallStep[] =>
  known(spec)
    .map(([path, place]) => [
      resolve(path, `open ${path}`, true),
      step("container", "keep it by number", "dup3", [REG, place, O.O_CLOEXEC]),
    ])
    .flat();

/** All mounts of a container with a root of its own. */
export function mountSteps(spec: ContainerSpec, recipe: Recipe): { prepare: SyscallStep[]; container: SyscallStep[] } {
  const kernelFs = kernelFsSteps(spec);
  const dev = devSteps(spec, recipe);
  const masks = maskSteps(spec);
  const resolvers = boundResolvConf(spec);
  const user = spec.mounts.map((mount, i) => userMount(spec, mount, i));
  return {
    prepare: [
      ...known(spec).map(([, place]) => placeholder(place.slot)),
      ...kernelFs.prepare,
      ...dev.prepare,
      ...masks.prepare,
      ...resolvers.prepare,
      ...user.map((m) => m.prepare).flat(),
    ],
    container: [
      ...kernelFs.container,
      ...pingSteps(spec),
      ...dev.container,
      ...masks.container,
      ...scratchSteps(spec),
      ...keepKnown(spec),
      ...resolvers.container,
      ...user.map((m) => m.container).flat(),
    ],
  };
}
