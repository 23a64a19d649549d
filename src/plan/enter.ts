/** From a mount namespace of its own to the container's root: what root.ts prepared becomes `/`, and the old root goes. */
import { AT_FDCWD, MNT, MOUNT_ATTR, MS } from "../ffi/flags.ts";
import { mountAttr, step } from "./list.ts";
import type { ContainerSpec, Propagation, RootSpec } from "./spec.ts";
import { type SyscallStep, slot } from "./step.ts";
import { verifyRoot } from "./verify.ts";

/** mount(2) flags of a propagation type; the r… forms hold for the whole tree. */
export function propagationFlags(propagation: Propagation): number {
  const recursive = propagation.startsWith("r");
  const kind = recursive ? propagation.slice(1) : propagation;
  const flag = { private: MS.MS_PRIVATE, slave: MS.MS_SLAVE, shared: MS.MS_SHARED, unbindable: MS.MS_UNBINDABLE }[kind];
  return (flag ?? MS.MS_PRIVATE) | (recursive ? MS.MS_REC : 0);
}

/** The first step in a new mount namespace. */
export function isolate(): SyscallStep {
  return step("container", "make every mount private", "mount", [null, "/", null, MS.MS_REC | MS.MS_PRIVATE, null], {
    why: "a copy of a shared mount is a peer of the host's: without this our mounts would appear there",
  });
}

/** From "mounted on top of the old root" to "the only root there is". */
export function enterRoot(spec: ContainerSpec, root: RootSpec): SyscallStep[] {
  const enter = step("container", "go to the new root", "fchdir", [slot("root")]);
  const change = root.chroot
    ? [
        enter,
        step("container", "change the root directory", "chroot", ["."], {
          why: "as asked: the old root stays in the namespace, out of sight but not out of reach of CAP_SYS_ADMIN or CAP_SYS_CHROOT",
        }),
      ]
    : [
        enter,
        step("container", "swap the roots", "pivot_root", [".", "."], { why: "the old root lands on top of the new one" }),
        step("container", "detach the old root", "umount2", [".", MNT.MNT_DETACH], {
          why: "nothing of the host is left in this namespace",
        }),
      ];
  const propagation = propagationFlags(spec.propagation);
  const spread =
    spec.propagation === "private" || spec.propagation === "rprivate" || root.chroot
      ? []
      : [step("container", `propagation of /: ${spec.propagation}`, "mount", [null, "/", null, propagation, null])];
  const { MOUNT_ATTR_RDONLY } = MOUNT_ATTR;
  const readOnly = root.readOnly
    ? [step("container", "make / read-only", "mount_setattr", [AT_FDCWD, "/", 0, mountAttr(MOUNT_ATTR_RDONLY, 0), 32])]
    : [];
  return [...change, ...verifyRoot(), ...spread, ...readOnly];
}
