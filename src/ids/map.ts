/** The arithmetic of uid_map and gid_map: user_namespaces(7). Pure. */
import { UsageError } from "../errors.ts";
import type { IdMap } from "../plan/spec.ts";

/** 4294967295 is "no id" to the kernel. */
export const MAX_ID = 0xfffffffe;
/** The kernel takes at most so many lines. */
const MAX_LINES = 340;

type Column = "containerId" | "hostId";

const overlap = (a: IdMap, b: IdMap, column: Column): boolean => a[column] < b[column] + b.size && b[column] < a[column] + a.size;

function number(text: string, most: number): number | undefined {
  return /^(0|[1-9][0-9]{0,9})$/.test(text) && Number(text) <= most ? Number(text) : undefined;
}

/** `CONTAINER:HOST[:SIZE]`, as podman writes it; SIZE is 1 when it is left out. Throws UsageError. */
export function parseMap(text: string, option: string): IdMap {
  const parts = text.split(":").map((part, i) => number(part, i < 2 ? MAX_ID : MAX_ID + 1));
  const [containerId, hostId, size = 1] = parts;
  if (parts.length < 2 || parts.length > 3 || parts.includes(undefined) || containerId === undefined || hostId === undefined)
    throw new UsageError(`${option} ${text}: expected CONTAINER:HOST[:SIZE], ids from 0 to ${MAX_ID}`);
  if (size === 0) throw new UsageError(`${option} ${text}: a range of no ids`);
  if (containerId + size - 1 > MAX_ID || hostId + size - 1 > MAX_ID)
    throw new UsageError(`${option} ${text}: the range goes beyond ${MAX_ID}`);
  return { containerId, hostId, size };
}

/** All lines of a map, which must not meet in either column. Throws UsageError. */
export function parseMaps(texts: readonly string[], option: string): IdMap[] {
  const maps = texts.map((text) => parseMap(text, option));
  if (maps.length > MAX_LINES) throw new UsageError(`${option}: ${maps.length} ranges; the kernel takes ${MAX_LINES}`);
  for (const [i, map] of maps.entries()) {
    const before = maps.slice(0, i);
    for (const [column, where] of [
      ["containerId", "inside"],
      ["hostId", "outside"],
    ] as const) {
      if (before.some((other) => overlap(map, other, column)))
        throw new UsageError(`${option} ${texts[i]}: overlaps an earlier range ${where}`);
    }
  }
  return maps;
}

/** The host's id of a container's; undefined where there is none. */
export function toHost(maps: readonly IdMap[], id: number): number | undefined {
  const map = maps.find(({ containerId, size }) => containerId <= id && id < containerId + size);
  return map && map.hostId + id - map.containerId;
}

/** The container's id of a host's; undefined (the kernel says 65534) where there is none. */
export function toContainer(maps: readonly IdMap[], id: number): number | undefined {
  const map = maps.find(({ hostId, size }) => hostId <= id && id < hostId + size);
  return map && map.containerId + id - map.hostId;
}

/** Ranges of ids: {first, size}. */
export interface Range {
  readonly first: number;
  readonly size: number;
}

/** Whether `maps` uses only host ids of `granted`, which need not be sorted nor joined. */
export function within(maps: readonly IdMap[], granted: readonly Range[]): boolean {
  return maps.every(({ hostId, size }) => {
    let at = hostId;
    for (let moved = true; moved && at < hostId + size; ) {
      moved = false;
      for (const { first, size: length } of granted) {
        if (first <= at && at < first + length) {
          at = first + length;
          moved = true;
        }
      }
    }
    return at >= hostId + size;
  });
}

/** Root inside is `own`; from 1 on the granted ranges follow, as far as there are any. */
export function rootless(own: number, granted: readonly Range[]): IdMap[] {
  const maps: IdMap[] = [{ containerId: 0, hostId: own, size: 1 }];
  let next = 1;
  for (const { first, size } of granted) {
    // own id among the granted ones cannot be mapped twice: the range is taken around it
    const pieces =
      first <= own && own < first + size
        ? [
            { first, size: own - first },
            { first: own + 1, size: first + size - own - 1 },
          ]
        : [{ first, size }];
    for (const piece of pieces) {
      if (piece.size <= 0) continue;
      maps.push({ containerId: next, hostId: piece.first, size: piece.size });
      next += piece.size;
    }
  }
  return maps;
}
