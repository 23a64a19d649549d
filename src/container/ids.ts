/** Which ids a new user namespace gets: those asked for, those that /etc/subuid grants, or the caller's own alone. */
import { NsrunError, UsageError } from "../errors.ts";
import { readText } from "../ffi/file.ts";
import { MAX_ID, parseMaps, type Range, rootless, toHost, within } from "../ids/map.ts";
import { findMapper } from "../ids/mapper.ts";
import { grantedTo, showRanges } from "../ids/subid.ts";
import type { IdMap, IdMaps } from "../plan/spec.ts";
import { type Caller, identity, setgroupsAllowed } from "./caller.ts";
import type { ContainerOptions } from "./options.ts";

const KINDS = {
  uid: { option: "--uid-map", file: "/etc/subuid", program: "newuidmap" },
  gid: { option: "--gid-map", file: "/etc/subgid", program: "newgidmap" },
} as const;

const read = (path: string): string => {
  const text = readText(path);
  return typeof text === "number" ? "" : text;
};

/** passwd(5), without the C library: the name by which subuid's lines may go. */
function nameOf(uid: number): string | undefined {
  for (const line of read("/etc/passwd").split("\n")) {
    const [name, , id] = line.split(":");
    if (id === String(uid)) return name;
  }
  return undefined;
}

const given = (texts: readonly string[] | undefined, option: string): IdMap[] | undefined =>
  texts && texts.length > 0 ? parseMaps(texts, option) : undefined;

/** Written by the caller himself: the ids must exist where he is. */
function asAdmin(options: ContainerOptions): IdMaps {
  const map = (kind: "uid" | "gid"): IdMap[] => {
    const { option } = KINDS[kind];
    const here = identity(`${kind}_map`);
    const asked = given(kind === "uid" ? options.uidMap : options.gidMap, option);
    const ranges = here.map(({ containerId, size }) => ({ first: containerId, size }));
    if (asked && !within(asked, ranges))
      throw new UsageError(`${option}: outside the ids that exist here: ${showRanges(ranges)}`);
    return asked ?? here;
  };
  return { uid: map("uid"), gid: map("gid"), setgroups: setgroupsAllowed(), mappers: undefined };
}

interface Side {
  readonly map: readonly IdMap[];
  /** By /etc/subuid or /etc/subgid. */
  readonly granted: readonly Range[];
}

/** An ordinary user's column; the ids outside it are refused here, by name of the file, rather than by newuidmap. */
function ordinary(kind: "uid" | "gid", caller: Caller, name: string | undefined, texts: readonly string[] | undefined): Side {
  const { option, file } = KINDS[kind];
  const own = kind === "uid" ? caller.euid : caller.egid;
  const granted = grantedTo(read(file), { name, uid: caller.euid });
  const asked = given(texts, option);
  if (asked && !within(asked, [{ first: own, size: 1 }, ...granted])) {
    const may = granted.length > 0 ? `and ${showRanges(granted)} (${file})` : `only: ${file} grants no others`;
    throw new UsageError(`${option}: ${name ?? `uid ${caller.euid}`} may use ${own} ${may}`);
  }
  return { map: asked ?? rootless(own, granted), granted };
}

const single = (map: readonly IdMap[], own: number): boolean => map.length === 1 && map[0]!.size === 1 && map[0]!.hostId === own;

/** Where newuidmap and newgidmap can be used they write the maps; without them, one id, unless more was asked for. */
function asUser(caller: Caller, options: ContainerOptions): IdMaps {
  const name = nameOf(caller.euid);
  const uid = ordinary("uid", caller, name, options.uidMap);
  const gid = ordinary("gid", caller, name, options.gidMap);
  const alone: IdMaps = {
    uid: [{ containerId: 0, hostId: caller.euid, size: 1 }],
    gid: [{ containerId: 0, hostId: caller.egid, size: 1 }],
    setgroups: false,
    mappers: undefined,
  };
  const asked = options.uidMap !== undefined || options.gidMap !== undefined;
  if (single(uid.map, caller.euid) && single(gid.map, caller.egid)) return { ...alone, uid: [...uid.map], gid: [...gid.map] };
  if (!asked && (uid.granted.length === 0 || gid.granted.length === 0)) return alone;
  const mappers = { uid: findMapper(KINDS.uid.program), gid: findMapper(KINDS.gid.program) };
  const problem = [mappers.uid, mappers.gid].find((found) => "problem" in found);
  if (problem && "problem" in problem) {
    if (asked)
      throw new NsrunError(`more than one id needs ${problem.problem}`, {
        hint: "Debian, Ubuntu: apt install uidmap; Fedora: shadow-utils",
      });
    return alone;
  }
  const path = (found: typeof mappers.uid) => ("path" in found ? found.path : "");
  return {
    uid: [...uid.map],
    gid: [...gid.map],
    setgroups: gid.granted.length > 0,
    mappers: { uid: path(mappers.uid), gid: path(mappers.gid) },
  };
}

/** The maps of a new user namespace. Throws UsageError for ids that nobody grants. */
export function idMaps(caller: Caller, options: ContainerOptions): IdMaps {
  return caller.admin ? asAdmin(options) : asUser(caller, options);
}

/** setresuid(2) knows the ids of the map only. Throws UsageError. */
export function checkMapped(maps: IdMaps, who: { uid: number; gid: number }, option: string): void {
  for (const kind of ["uid", "gid"] as const) {
    const id = who[kind];
    if (id >= 0 && id <= MAX_ID && toHost(maps[kind], id) !== undefined) continue;
    const inside = maps[kind].map(({ containerId, size }) => ({ first: containerId, size }));
    throw new UsageError(`${option}: ${kind} ${id} is not in the container's user namespace, which has ${showRanges(inside)}`, {
      hint:
        maps.mappers || maps[kind].length > 1
          ? undefined
          : "more ids need lines in /etc/subuid and /etc/subgid, and newuidmap (package uidmap)",
    });
  }
}
