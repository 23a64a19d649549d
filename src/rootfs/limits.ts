/** How much an archive may make of itself: a limit for each way to grow, and the account of one unpacking. */
import { UsageError } from "../errors.ts";

export interface UnpackLimits {
  /** Bytes of file contents. */
  readonly maxBytes: number;
  /** Members, and directories that are made because a name leads through them. */
  readonly maxEntries: number;
  /** Components of a name. */
  readonly maxDepth: number;
  /** Bytes of a name. */
  readonly maxPath: number;
  /** Bytes out for each compressed byte in; not looked at before {@link RATIO_FROM} bytes are out. */
  readonly maxRatio: number;
}
export const LIMITS: UnpackLimits = {
  maxBytes: 16 * 2 ** 30,
  maxEntries: 1_000_000,
  maxDepth: 128,
  maxPath: 4096, // linux/limits.h, PATH_MAX
  maxRatio: 1000, // gzip's own end is 1032
};
export const RATIO_FROM = 64 * 2 ** 20;
/** Bytes of names that are kept in memory until the end (directories, owners to be given later). */
const MAX_HELD = 512 * 2 ** 20;
/** Bytes of extended headers and of zeros behind the end marker, besides as many as contents may have. */
const OVERHEAD = 64 * 2 ** 20;

/** The limits as options of the command line and the library, which names them so. */
export interface LimitOptions {
  /** Bytes, or a text such as "500m". Default 16g. */
  maxSize?: number | string | undefined;
  /** Default 1000000. */
  maxEntries?: number | string | undefined;
  /** Default 128. */
  maxDepth?: number | string | undefined;
  /** Bytes. Default 4096. */
  maxPath?: number | string | undefined;
  /** Default 1000. */
  maxRatio?: number | string | undefined;
}
/** Field of the options → the limit, the option's name. */
export const LIMIT_OPTIONS = [
  ["maxSize", "maxBytes", "max-size"],
  ["maxEntries", "maxEntries", "max-entries"],
  ["maxDepth", "maxDepth", "max-depth"],
  ["maxPath", "maxPath", "max-path"],
  ["maxRatio", "maxRatio", "max-ratio"],
] as const;

const UNITS: Readonly<Record<string, number>> = { "": 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/** "1048576", "1024k", "1m": powers of 1024, either case. Throws UsageError that names `option`. */
export function parseSize(text: string, option: string): number {
  const [, digits = "", unit = ""] = /^(\d{1,15})([kmgt]?)$/i.exec(text) ?? [];
  const value = digits === "" ? Number.NaN : Number(digits) * (UNITS[unit.toLowerCase()] ?? Number.NaN);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new UsageError(`${option} ${text}: expected a number of bytes above 0, with k, m, g or t behind it where wanted`);
}

function parseCount(text: string, option: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new UsageError(`${option} ${text}: expected a number above 0`);
}

/** The limits that were asked for; those not named are absent. Throws UsageError. */
export function askedLimits(options: LimitOptions): Partial<UnpackLimits> {
  const limits: Partial<Record<keyof UnpackLimits, number>> = {};
  for (const [field, limit, name] of LIMIT_OPTIONS) {
    const value = options[field];
    if (value === undefined) continue;
    limits[limit] = (field === "maxSize" ? parseSize : parseCount)(String(value), `--${name}`);
  }
  return limits;
}

/** A limit that was met, with the option that moves it. */
export function over(what: string, limit: keyof UnpackLimits | undefined): UsageError {
  const name = LIMIT_OPTIONS.find((row) => row[1] === limit)?.[2];
  return new UsageError(what, name === undefined ? {} : { hint: `--${name} moves this limit` });
}

/** The account of one unpacking. `where` makes the end of a message: which entry. */
export class Budget {
  #bytes = 0;
  #entries = 0;
  #held = 0;
  #overhead = 0;
  constructor(
    readonly limits: UnpackLimits,
    readonly archive: string,
  ) {}

  /** So many bytes of contents more. */
  bytes(count: number, where: () => string): void {
    this.#bytes += count;
    const { maxBytes } = this.limits;
    if (this.#bytes > maxBytes) throw over(`${this.archive}: more than ${maxBytes} bytes${where()}`, "maxBytes");
  }

  /** So many bytes that become no contents. */
  overhead(count: number, where: () => string): void {
    this.#overhead += count;
    const most = this.limits.maxBytes + OVERHEAD;
    if (this.#overhead > most)
      throw over(`${this.archive}: more than ${most} bytes of headers and padding${where()}`, "maxBytes");
  }

  /** One more file, directory or link. */
  entry(where: () => string): void {
    const { maxEntries } = this.limits;
    if (++this.#entries > maxEntries) throw over(`${this.archive}: more than ${maxEntries} entries${where()}`, "maxEntries");
  }

  /** A name that has to be remembered. */
  hold(name: string, where: () => string): void {
    this.#held += name.length;
    if (this.#held > MAX_HELD)
      throw new UsageError(`${this.archive}: names of more than ${MAX_HELD} bytes to remember${where()}`);
  }
}
