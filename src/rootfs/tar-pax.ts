/** pax extended headers: records `LENGTH KEY=VALUE\n` (POSIX.1-2001 pax, "pax Extended Header"). Pure. */
import { GUARDS } from "./guards.ts";
import { type ByteString, byteString } from "./names.ts";
import { HeaderProblem } from "./tar-header.ts";

/** Keyword to value, as bytes. An empty value takes an earlier one back. */
export type PaxRecords = ReadonlyMap<string, ByteString>;
export const NO_RECORDS: PaxRecords = new Map();

/**
 * The keywords that mean something here; of attributes only the names are kept. Everything else is dropped at
 * once: global records are carried through the whole archive, and a new megabyte of them can come before each member.
 */
const KEPT = new Set([
  ...["path", "linkpath", "size", "uid", "gid", "mtime"],
  ...["major", "minor", "name", "realsize", "size", "map"].map((key) => `GNU.sparse.${key}`),
]);
const NAMED = /^(?:SCHILY|LIBARCHIVE)\.xattr\./;
const NAMES = new Set(["path", "linkpath", "GNU.sparse.name"]);
/** Attributes that one member, or the archive as a whole, may have. */
const MAX_NAMED = 1000;

/** Decodes the body of an `x` or `g` entry; throws {@link HeaderProblem}. */
export function parsePax(data: Uint8Array): PaxRecords {
  const text = byteString(data);
  const records = new Map<string, ByteString>();
  for (let at = 0; at < text.length; ) {
    const space = text.indexOf(" ", at);
    const digits = text.slice(at, space < 0 ? at : space);
    const end = at + Number(digits);
    if (!/^[1-9]\d{0,8}$/.test(digits) || end > text.length || text[end - 1] !== "\n") {
      throw new HeaderProblem("malformed pax header");
    }
    const equals = text.indexOf("=", space);
    if (equals < 0 || equals >= end) throw new HeaderProblem("malformed pax header");
    const key = text.slice(space + 1, equals);
    const value = text.slice(equals + 1, end - 1);
    if (NAMES.has(key) && GUARDS.nul(value)) throw new HeaderProblem(`NUL in pax ${key}`);
    if (KEPT.has(key)) records.set(key, value);
    else if (NAMED.test(key)) records.set(key, "");
    at = end;
  }
  return limited(records);
}

function limited(records: PaxRecords): PaxRecords {
  if (records.size > MAX_NAMED) throw new HeaderProblem(`more than ${MAX_NAMED} extended attributes`);
  return records;
}

/** Global records and those of a later global header. Throws {@link HeaderProblem}. */
export const mergePax = (before: PaxRecords, after: PaxRecords): PaxRecords => limited(new Map([...before, ...after]));

/** A non-negative decimal of a pax record; undefined when it is not given. */
export function paxInteger(records: PaxRecords, key: string): number | undefined {
  const value = records.get(key);
  if (value === undefined || value === "") return undefined;
  const number = Number(value);
  if (!/^\d{1,16}$/.test(value) || !Number.isSafeInteger(number)) throw new HeaderProblem(`pax ${key} is no number`);
  return number;
}

/** A time as whole seconds and nanoseconds (0 to 999999999), from `-1.5` as from `1700000000.123456789`. */
export interface TarTime {
  readonly seconds: number;
  readonly nanoseconds: number;
}

export function paxTime(records: PaxRecords, key: string): TarTime | undefined {
  const value = records.get(key);
  if (value === undefined || value === "") return undefined;
  const match = /^(-?)(\d{1,15})(?:\.(\d*))?$/.exec(value);
  if (!match) throw new HeaderProblem(`pax ${key} is no time`);
  const whole = Number(match[2]);
  const nanoseconds = Number((match[3] ?? "").slice(0, 9).padEnd(9, "0"));
  if (match[1] === "") return { seconds: whole, nanoseconds };
  return nanoseconds === 0 ? { seconds: -whole, nanoseconds } : { seconds: -whole - 1, nanoseconds: 1e9 - nanoseconds };
}
