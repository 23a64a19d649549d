/** Which ids a new user namespace has: what was asked for, else all that an ordinary user may have. */
import { UsageError } from "../errors.ts";
import { readText } from "../ffi/file.ts";
import type { IdMap, IdMaps } from "../plan/spec.ts";
import { findGrants, type Grant, type Grants, may } from "./grants.ts";
import { findHelper } from "./helper.ts";
import { containerRanges, contains, isSingle, parseMap, rootlessMap } from "./map.ts";
import { describe, merge, within } from "./range.ts";
import { presentRanges } from "./subid.ts";

export interface Asked {
  readonly uidMap?: readonly string[] | undefined;
  readonly gidMap?: readonly string[] | undefined;
  readonly userns?: string | undefined;
}

/** The maps, and why there is but one id where more would have been welcome. */
export interface Chosen {
  readonly maps: IdMaps;
  readonly why?: string;
  /** Gives a reserved range back. */
  readonly release?: () => void;
}

function present(file: string) {
  const text = readText(`/proc/self/${file}`);
  return presentRanges(typeof text === "number" ? "" : text);
}

function presentOnly(maps: IdMap[], option: string, file: string): IdMap[] {
  const ids = present(file);
  for (const { containerId, hostId, size } of maps)
    if (!within({ first: hostId, size }, ids))
      throw new UsageError(
        `${option} ${containerId}:${hostId}:${size}: no such host ids in this user namespace (${describe(ids)})`,
      );
  return maps;
}

/** Root writes any map itself. Given one of the two, the other is the same. */
export function rootMaps(asked: Asked, setgroups: boolean): IdMaps {
  const { uidMap = [], gidMap = [] } = asked;
  const [uid, gid] = [uidMap.length > 0 ? uidMap : gidMap, gidMap.length > 0 ? gidMap : uidMap];
  return {
    uid: presentOnly(parseMap(uid, uid === uidMap ? "--uid-map" : "--gid-map"), "--uid-map", "uid_map"),
    gid: presentOnly(parseMap(gid, gid === gidMap ? "--gid-map" : "--uid-map"), "--gid-map", "gid_map"),
    setgroups,
  };
}

/** Every line inside one grant, or our own id alone: newuidmap(1)'s own rule. */
function granted(texts: readonly string[], option: string, who: string, grant: Grant): IdMap[] {
  const maps = parseMap(texts, option);
  const ranges = merge(grant.ranges);
  for (const { containerId, hostId, size } of maps) {
    if ((size === 1 && hostId === grant.own) || within({ first: hostId, size }, ranges)) continue;
    const ids = describe([{ first: hostId, size }]);
    throw new UsageError(`${option} ${containerId}:${hostId}:${size}: host id ${ids} is not granted: ${may(who, grant)}`);
  }
  return maps;
}

/** Why there is no range for us, or the two programs that will write one. */
function rangeTools(grants: Grants): { uid: string; gid: string } | { why: string } {
  for (const { ranges, file } of [grants.uid, grants.gid])
    if (ranges.length === 0) return { why: `${file} grants ${grants.who} no ids` };
  return helpers(grants);
}

function helpers(grants: Grants): { uid: string; gid: string } | { why: string } {
  if (grants.obstacle !== undefined) return { why: grants.obstacle };
  const [uid, gid] = [findHelper("newuidmap"), findHelper("newgidmap")];
  if ("problem" in uid) return { why: uid.problem };
  if ("problem" in gid) return { why: gid.problem };
  return { uid: uid.path, gid: gid.path };
}

/** Maps given by hand, of an ordinary user; the one not given is the default's. */
function byHand(asked: Asked, grants: Grants, setgroups: () => boolean): IdMaps {
  const { who } = grants;
  const column = (texts: readonly string[] | undefined, option: string, grant: Grant): IdMap[] =>
    texts && texts.length > 0
      ? granted(texts, option, who, grant)
      : rootlessMap(grant.own, "why" in rangeTools(grants) ? [] : grant.ranges);
  const uid = column(asked.uidMap, "--uid-map", grants.uid);
  const gid = column(asked.gidMap, "--gid-map", grants.gid);
  const [ownUid, ownGid] = [isSingle(uid, grants.uid.own), isSingle(gid, grants.gid.own)];
  if (ownUid && ownGid) return { uid, gid, setgroups: false };
  const tools = helpers(grants);
  if ("why" in tools) throw new UsageError(`a map of more than one's own id needs newuidmap and newgidmap: ${tools.why}`);
  return {
    uid,
    gid,
    setgroups: !ownGid && setgroups(),
    writers: { ...(ownUid ? {} : { uid: tools.uid }), ...(ownGid ? {} : { gid: tools.gid }) },
  };
}

/** The maps of an ordinary user `uid`:`gid`. `setgroups` tells whether our own namespace allows it. */
export function rootlessMaps(asked: Asked, uid: number, gid: number, setgroups: () => boolean): Chosen {
  const grants = findGrants(uid, gid);
  if (asked.uidMap?.length || asked.gidMap?.length) return { maps: byHand(asked, grants, setgroups) };
  const tools = rangeTools(grants);
  if ("why" in tools) return { maps: { uid: rootlessMap(uid, []), gid: rootlessMap(gid, []), setgroups: false }, why: tools.why };
  return {
    maps: {
      uid: rootlessMap(uid, grants.uid.ranges),
      gid: rootlessMap(gid, grants.gid.ranges),
      setgroups: setgroups(),
      writers: tools,
    },
  };
}

/** `--user` must be somebody inside. Throws UsageError. */
export function checkUser(user: string, who: { uid: number; gid: number }, { maps, why }: Chosen): void {
  for (const [what, id, map] of [
    ["uid", who.uid, maps.uid],
    ["gid", who.gid, maps.gid],
  ] as const) {
    if (contains(map, id)) continue;
    throw new UsageError(`--user ${user}: ${what} ${id} is not mapped (mapped: ${describe(containerRanges(map))})`, {
      hint: why && `only the own id is there: ${why}`,
    });
  }
}
