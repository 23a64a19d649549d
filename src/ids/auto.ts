/**
 * `--userns auto` of root: a range of host ids that no other container and no user has. On the way of every start as root.
 */
import { NsrunError, UsageError } from "../errors.ts";
import { holdName } from "../ffi/abstract.ts";
import type { Fd } from "../ffi/fd.ts";
import { readText } from "../ffi/file.ts";
import type { IdMaps } from "../plan/spec.ts";

/** One id for each of 16 bits: what programs and archives expect to exist (nobody is 65534). */
const SIZE = 65536;
const FIRST = 100_000;
/** Below 2^31, where some programs still see negative numbers. */
const LAST = 0x7fffffff - SIZE;

/** Held until disposed of. */
export interface AutoRange extends Disposable {
  readonly maps: IdMaps;
}

/** `OWNER:FIRST:SIZE` lines of /etc/subuid or /etc/subgid: a user's own containers run with these. */
function granted(file: string): { first: number; end: number }[] {
  const text = readText(file);
  if (typeof text === "number") return [];
  return text.split("\n").flatMap((line) => {
    const [, first = "", size = ""] = line.split(":");
    return Number(size) > 0 ? [{ first: Number(first), end: Number(first) + Number(size) }] : [];
  });
}

const mapped = (first: number, size: number): IdMaps => {
  const map = [{ containerId: 0, hostId: first, size }];
  return { uid: map, gid: map, setgroups: true };
};

/**
 * The first free one of 100000-165535, 165536-231071, …: granted to nobody in /etc/subuid and /etc/subgid, and held by no other
 * nsrun. What is held is an abstract unix(7) name, which vanishes with its holder: it is seen in one network namespace.
 */
export function reserveRange(): AutoRange {
  const taken = [...granted("/etc/subuid"), ...granted("/etc/subgid")];
  for (let first = FIRST; first <= LAST; first += SIZE) {
    if (taken.some((other) => other.first < first + SIZE && first < other.end)) continue;
    const held: Fd | undefined = holdName(`nsrun/ids/${first}`, "reserve a range of ids");
    if (held) return { maps: mapped(first, SIZE), [Symbol.dispose]: () => held.close() };
  }
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
