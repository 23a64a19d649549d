/**
 * Idmapped mounts (mount_setattr(2), Linux 5.12): files show the owners they have on disk, though root inside is another uid
 * outside. The kernel wants the mount attached nowhere yet, and a user namespace that has its maps: so it is done by the
 * parent, between clone and go where the namespace is the container's own, on the mounts whose descriptors the container already has.
 */
import { AT, AT_FDCWD, MOUNT_ATTR, O } from "../ffi/flags.ts";
import { step } from "./list.ts";
import { type ContainerSpec, mapped, type Recipe } from "./spec.ts";
import { type SyscallStep, slot } from "./step.ts";

interface Target {
  readonly slot: string;
  readonly recursive: boolean;
  readonly label: string;
}

function targets({ root, mounts }: ContainerSpec, recipe: Recipe): Target[] {
  if (!root) return [];
  const base: Target[] = [
    root.layer === "overlay"
      ? { slot: "lower", recursive: false, label: "map the owners of the lower layer" }
      : { slot: "root", recursive: true, label: "map the owners of the root" },
    // before 6.3 tmpfs could not; then it belongs to root inside as it is: dev.ts
    ...(recipe === "staged" ? [] : [{ slot: "dev", recursive: false, label: "map the owners of /dev" }]),
  ];
  const volumes = mounts
    .map((mount, i) =>
      mount.type === "bind" && mount.idmap !== false
        ? [{ slot: `volume${i}`, recursive: mount.recursive, label: `map the owners of ${mount.target}` }]
        : [],
    )
    .flat();
  return [...base, ...volumes];
}

function mapOwners(spec: ContainerSpec, recipe: Recipe, userns: string): SyscallStep[] {
  const attributes = {
    words: [MOUNT_ATTR.MOUNT_ATTR_IDMAP, 0, 0, slot(userns)],
    text: `{attr_set=MOUNT_ATTR_IDMAP, attr_clr=0, propagation=0, userns_fd=<${userns}>}`,
  };
  return targets(spec, recipe).map((target) =>
    step("parent", target.label, "mount_setattr", [
      slot(target.slot),
      "",
      AT.AT_EMPTY_PATH | (target.recursive ? AT.AT_RECURSIVE : 0),
      attributes,
      32,
    ]),
  );
}

/** Before anything is started: a user namespace that exists already. After the clone: the container's own, when it has its maps. */
export function idmapSteps(spec: ContainerSpec, recipe: Recipe): { prepare: SyscallStep[]; between: SyscallStep[] } {
  if (!mapped(spec)) return { prepare: [], between: [] };
  if (spec.namespaces.user.mode === "join") return { prepare: mapOwners(spec, recipe, "join.user"), between: [] };
  const path = { template: ["/proc/", slot("pid"), "/ns/user"] };
  return {
    prepare: [],
    between: [
      step("parent", "open the container's user namespace", "openat", [AT_FDCWD, path, O.O_RDONLY | O.O_CLOEXEC, 0], {
        store: "userns",
      }),
      ...mapOwners(spec, recipe, "userns"),
    ],
  };
}
