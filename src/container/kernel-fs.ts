/**
 * --mount of the kernel's own file systems: another instance must not give what /proc and /sys inside do not. Hidden and read-only
 * paths are those of one mount, and a hierarchy of cgroup v1 is the machine's, whoever mounts it.
 */
import { UsageError } from "../errors.ts";
import { MS } from "../ffi/flags.ts";
import type { Namespace, NamespaceUse } from "../plan/spec.ts";
import { unmasksAll } from "./hidden.ts";
import type { ContainerOptions } from "./options.ts";

const INERT = MS.MS_NOSUID | MS.MS_NODEV | MS.MS_NOEXEC;

/** By type: flags of mount(2) that cannot be taken away. The nodes of a devpts are there to be opened. */
const ALWAYS: Readonly<Record<string, number>> = {
  proc: INERT,
  sysfs: INERT,
  mqueue: INERT,
  devpts: MS.MS_NOSUID | MS.MS_NOEXEC,
  cgroup: INERT | MS.MS_RDONLY,
  cgroup2: INERT,
};

export type Uses = Readonly<Record<Namespace, NamespaceUse>>;

/** With both it shows the container's own groups, of which root inside owns what was delegated. */
const ownCgroups = ({ cgroup, user }: Uses): boolean => cgroup.mode === "new" && user.mode === "new";

/** The flags of mount(2) that a file system of `type` always has. Throws UsageError for one that would undo the masks. */
export function kernelFlags(type: string, option: string, options: ContainerOptions, uses: Uses): number {
  if ((type === "proc" || type === "sysfs") && !unmasksAll(options)) {
    const where = type === "proc" ? "/proc" : "/sys";
    throw new UsageError(`${option}: it would show all that is hidden or read-only in ${where}: only with --unmask all`);
  }
  const always = Object.hasOwn(ALWAYS, type) ? ALWAYS[type]! : 0;
  return type === "cgroup2" && !ownCgroups(uses) ? always | MS.MS_RDONLY : always;
}
