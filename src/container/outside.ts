/** Who the container's processes are outside, where that is more than expected: said aloud, since nothing inside shows it. */
import { sys } from "../ffi/syscall.ts";
import type { ContainerSpec, IdMap, IdMaps } from "../plan/spec.ts";
import type { Caller } from "./caller.ts";
import type { ContainerOptions } from "./options.ts";

const ROOT = "root inside is root outside";

const hasRoot = (maps: readonly IdMap[]): boolean => maps.some(({ hostId }) => hostId === 0); // no id is below

/** Undefined: somebody else, or a caller who is not the host's root himself. */
function rootOutside(options: ContainerOptions, caller: Caller, uses: ContainerSpec["namespaces"], maps: IdMaps | undefined) {
  if (options.userns === "host") return `--userns host: ${ROOT}`;
  if (!caller.privileged || options.namespaces === false) return undefined; // --no-namespaces has its own word
  if (uses.user.mode === "share") {
    const asked = options.share?.some((text) => text.includes("user"));
    return `${asked ? "--share user" : "with a joined pid or mnt namespace there is no user namespace"}: ${ROOT}`;
  }
  const ids = [...(maps && hasRoot(maps.uid) ? ["uid 0"] : []), ...(maps && hasRoot(maps.gid) ? ["gid 0"] : [])];
  return ids.length === 0 ? undefined : `among the ids inside: the host's ${ids.join(" and ")}`;
}

/** Without setgroups(2) the kernel keeps the caller's supplementary groups. */
function keptGroups(caller: Caller): string | undefined {
  const list = new Uint32Array(new ArrayBuffer(4 * 65536)); // NGROUPS_MAX
  const count = sys("getgroups", 65536, list);
  const others = list.subarray(0, Math.max(0, count)).filter((gid) => gid !== caller.egid);
  if (others.length === 0) return undefined;
  return `your supplementary groups (${others.join(" ")}) stay in force inside, as nogroup: only a range of ids (/etc/subgid) lets them be dropped`;
}

export function sayOutside(
  options: ContainerOptions,
  caller: Caller,
  uses: ContainerSpec["namespaces"],
  maps: IdMaps | undefined,
): void {
  const root = rootOutside(options, caller, uses, maps);
  if (root !== undefined) options.say?.(root);
  const groups = maps && !maps.setgroups ? keptGroups(caller) : undefined;
  if (groups !== undefined) options.say?.(groups);
}
