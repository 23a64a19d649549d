/** What an ordinary user may map: his own id, and what /etc/subuid and /etc/subgid grant him. Read, not guessed. */
import { readText } from "../ffi/file.ts";
import { describe, intersect, type Range } from "./range.ts";
import { grantedRanges, passwdEntry, presentRanges } from "./subid.ts";

/** One column's grants: for uids or for gids. */
export interface Grant {
  readonly own: number;
  readonly file: "/etc/subuid" | "/etc/subgid";
  /** Beside `own`; merged, and only what exists in the user namespace we are in. */
  readonly ranges: readonly Range[];
}

export interface Grants {
  /** The user's name, or "uid 1000" for one that /etc/passwd does not know. */
  readonly who: string;
  readonly uid: Grant;
  readonly gid: Grant;
  /** Why newuidmap would refuse whatever is granted. */
  readonly obstacle: string | undefined;
}

const text = (path: string): string => {
  const found = readText(path);
  return typeof found === "number" ? "" : found;
};

/** newuidmap(1) looks its caller up and wants the primary group: read from its source, shadow 4.13. */
function obstacle(entry: ReturnType<typeof passwdEntry>, uid: number, gid: number): string | undefined {
  if (!entry) return `uid ${uid} is not in /etc/passwd, and newuidmap serves only users who are`;
  if (entry.gid !== gid) return `our group is ${gid}, not ${entry.name}'s own ${entry.gid}, which newuidmap insists on`;
  return undefined;
}

export function findGrants(uid: number, gid: number): Grants {
  const entry = passwdEntry(text("/etc/passwd"), uid);
  const grant = (own: number, file: Grant["file"], map: string): Grant => {
    const granted = grantedRanges(text(file), entry?.name, uid);
    return { own, file, ranges: granted.length > 0 ? intersect(granted, presentRanges(text(map))) : granted };
  };
  return {
    who: entry?.name ?? `uid ${uid}`,
    uid: grant(uid, "/etc/subuid", "/proc/self/uid_map"),
    gid: grant(gid, "/etc/subgid", "/proc/self/gid_map"),
    obstacle: obstacle(entry, uid, gid),
  };
}

/** `alice may use 1000, and 100000-165535 (/etc/subuid)` */
export function may(who: string, { own, file, ranges }: Grant): string {
  if (ranges.length === 0) return `${who} may use ${own} only: ${file} grants nothing`;
  return `${who} may use ${own}, and ${describe(ranges)} (${file})`;
}
