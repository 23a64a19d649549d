/**
 * The host ids of root's containers. `--userns auto`: a range that no other container and no user has, on the way of every start
 * as root. What is in use is held in the record "ids", one byte an id (src/rootfs/records.ts).
 */
import { NsrunError, UsageError } from "../errors.ts";
import { holdName } from "../ffi/abstract.ts";
import { readText } from "../ffi/file.ts";
import { holdBytes } from "../ffi/locks.ts";
import type { IdMaps } from "../plan/spec.ts";
import { openRecord } from "../rootfs/records.ts";

/** One id for each of 16 bits: what programs and archives expect to exist (nobody is 65534). */
const SIZE = 65536;
const FIRST = 100_000;
/** Below 2^31, where some programs still see negative numbers. */
const LAST = 0x7fffffff - SIZE;

const DOING = "reserve a range of ids";

/** Host ids that are recorded as in use until `release`. */
export interface HeldMaps {
  readonly maps: IdMaps;
  readonly release?: () => void;
}

/** `OWNER:FIRST:SIZE` lines of /etc/subuid or /etc/subgid: a user's own containers run with these. */
function granted(file: string): { first: number; end: number }[] {
  const text = readText(file);
  if (typeof text === "number") return [];
  const found: { first: number; end: number }[] = [];
  for (const line of text.split("\n")) {
    const [, first = "", size = ""] = line.split(":");
    if (Number(size) > 0) found.push({ first: Number(first), end: Number(first) + Number(size) });
  }
  return found;
}

const mapped = (first: number, size: number): IdMaps => {
  const map = [{ containerId: 0, hostId: first, size }];
  return { uid: map, gid: map, setgroups: true };
};

/**
 * The first free one of 100000-165535, 165536-231071, …: granted to nobody in /etc/subuid and /etc/subgid, and held by no other
 * nsrun. Without the record an abstract unix(7) name is held, which others in the same network namespace see, and could take.
 */
export function reserveRange(): HeldMaps {
  const taken = [...granted("/etc/subuid"), ...granted("/etc/subgid")];
  const record = openRecord("ids");
  for (let first = FIRST; first <= LAST; first += SIZE) {
    if (taken.some((other) => other.first < first + SIZE && first < other.end)) continue;
    const free = record === undefined || holdBytes(record.number, "alone", first, SIZE, DOING);
    const held = free ? (record ?? holdName(`nsrun/ids/${first}`, DOING)) : undefined;
    if (held) return { maps: mapped(first, SIZE), release: () => held.close() };
  }
  record?.close();
  throw new NsrunError("no free range of 65536 ids is left", { hint: "choose one with --userns FIRST[:SIZE]" });
}

/** `FIRST[:SIZE]`, host ids for 0… inside. Throws UsageError. */
export function givenRange(text: string): IdMaps {
  const refuse = (why: string) => new UsageError(`--userns ${text}: ${why}`);
  const match = /^([0-9]{1,10})(?::([0-9]{1,10}))?$/.exec(text);
  if (!match) throw refuse("expected auto, host or FIRST[:SIZE], decimal numbers");
  const [first, size] = [Number(match[1]), Number(match[2] ?? SIZE)];
  if (size === 0) throw refuse("a range of no ids");
  if (first + size - 1 > 0xfffffffe) throw refuse("beyond the last id, 4294967294");
  return mapped(first, size);
}

/**
 * Records ids that the user chose: others may choose the same, `auto` will not. Ids that stay what they are inside are not meant
 * to be anybody's own. Throws UsageError where `auto` was first.
 */
export function holdGiven(maps: IdMaps, option: (column: "uid" | "gid") => string): HeldMaps {
  const record = openRecord("ids");
  if (!record) return { maps };
  for (const column of ["uid", "gid"] as const)
    for (const { containerId, hostId, size } of maps[column]) {
      if (containerId === hostId || holdBytes(record.number, "shared", hostId, size, DOING)) continue;
      record.close();
      const ids = `${hostId}-${hostId + size - 1}`;
      throw new UsageError(`${option(column)}: a running container has some of the ids ${ids} (--userns auto)`, {
        hint: "choose others, or start that container with --userns FIRST[:SIZE] too",
      });
    }
  return { maps, release: () => record.close() };
}
