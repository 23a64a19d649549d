/** The arithmetic of uid_map and gid_map (user_namespaces(7)): parsed, checked, looked up in both directions. Pure. */
import { UsageError } from "../errors.ts";
import { mapText } from "../plan/identity.ts";
import type { IdMap } from "../plan/spec.ts";
import { MAX_ID, merge, type Range, without } from "./range.ts";

/** UID_GID_MAP_MAX_EXTENTS of linux/user_namespace.h (Linux 4.15 on), and map_write's limit: less than a page in one write. */
export const MAX_LINES = 340;
const MAX_BYTES = 4095;

/** Decimal digits alone: no sign, no blank, no `0x`. Undefined for anything else, and beyond 2^53. */
export function decimal(text: string): number | undefined {
  if (text.length === 0 || text.length > 15) return undefined;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 48 || code > 57) return undefined;
  }
  return Number(text);
}

/** `CONTAINER:HOST[:SIZE]`; `option` is what messages begin with. Throws UsageError. */
function parseLine(text: string, option: string): IdMap {
  const refuse = (why: string) => new UsageError(`${option} ${text}: ${why}`);
  const parts = text.split(":");
  const [containerId, hostId, size = parts.length === 2 ? 1 : undefined] = parts.map(decimal);
  if (parts.length > 3 || containerId === undefined || hostId === undefined || size === undefined)
    throw refuse("expected CONTAINER:HOST[:SIZE], decimal numbers");
  if (size === 0) throw refuse("a range of no ids");
  if (Math.max(containerId, hostId) + size - 1 > MAX_ID) throw refuse(`beyond the last id, ${MAX_ID}`);
  return { containerId, hostId, size };
}

/** Two lines that have an id in common, in the column that `first` takes. */
function overlap(maps: readonly IdMap[], first: (map: IdMap) => number): readonly [IdMap, IdMap] | undefined {
  const sorted = [...maps].sort((a, b) => first(a) - first(b));
  for (let i = 1; i < sorted.length; i++) {
    const [before, after] = [sorted[i - 1]!, sorted[i]!];
    if (first(before) + before.size > first(after)) return [before, after];
  }
  return undefined;
}

const line = ({ containerId, hostId, size }: IdMap): string => `${containerId}:${hostId}:${size}`;

/** The lines of `--uid-map` (or --gid-map), checked as the kernel will: each by itself and against each other. */
export function parseMap(texts: readonly string[], option: string): IdMap[] {
  const maps = texts.map((text) => parseLine(text, option));
  for (const [what, first] of [
    ["container", (m: IdMap) => m.containerId],
    ["host", (m: IdMap) => m.hostId],
  ] as const) {
    const two = overlap(maps, first);
    if (two) throw new UsageError(`${option} ${line(two[0])} and ${line(two[1])} overlap in their ${what} ids`);
  }
  if (maps.length > MAX_LINES) throw new UsageError(`${option}: ${maps.length} lines (the kernel takes ${MAX_LINES})`);
  if (mapText(maps).length > MAX_BYTES)
    throw new UsageError(`${option}: ${mapText(maps).length} bytes of map (the kernel takes ${MAX_BYTES})`);
  // the container's root makes its mounts; without it they would belong to nobody
  if (toHost(maps, 0) === undefined) throw new UsageError(`${option}: container id 0 is not mapped, and root inside is needed`);
  return maps;
}

/** The host's id for the container's, or undefined where it is not mapped. */
export function toHost(maps: readonly IdMap[], id: number): number | undefined {
  const map = maps.find((m) => m.containerId <= id && id < m.containerId + m.size);
  return map && map.hostId + id - map.containerId;
}

/** The container's id for the host's. */
export function toContainer(maps: readonly IdMap[], id: number): number | undefined {
  const map = maps.find((m) => m.hostId <= id && id < m.hostId + m.size);
  return map && map.containerId + id - map.hostId;
}

export const contains = (maps: readonly IdMap[], id: number): boolean => toHost(maps, id) !== undefined;

/** How many ids there are inside. */
export const total = (maps: readonly IdMap[]): number => maps.reduce((sum, map) => sum + map.size, 0);

export const containerRanges = (maps: readonly IdMap[]): Range[] =>
  merge(maps.map(({ containerId, size }) => ({ first: containerId, size })));

/** One id and nothing else: what the kernel lets anybody write. */
export const isSingle = (maps: readonly IdMap[], own: number): boolean =>
  maps.length === 1 && maps[0]?.size === 1 && maps[0].hostId === own;

/** Root inside is `own` outside; the granted ids follow from 1 on, as many as the kernel takes. `granted` is merged. */
export function rootlessMap(own: number, granted: readonly Range[]): IdMap[] {
  const maps: IdMap[] = [{ containerId: 0, hostId: own, size: 1 }];
  let next = 1;
  for (const { first, size } of without(granted, own)) {
    const fitting = Math.min(size, MAX_ID + 1 - next);
    const map = { containerId: next, hostId: first, size: fitting };
    if (fitting < 1 || maps.length === MAX_LINES || mapText([...maps, map]).length > MAX_BYTES) break;
    maps.push(map);
    next += fitting;
  }
  return maps;
}
