/** Reading somebody's JSON strictly: every message says where in the file. */
import { UsageError } from "../errors.ts";

export type Json = Readonly<Record<string, unknown>>;

/** JSON with 64-bit numbers: what a double cannot hold becomes a bigint. Throws UsageError. */
export function parseJson(text: string, where: string): unknown {
  const exact = (_: string, value: unknown, { source }: { source?: string } = {}) =>
    typeof value === "number" && source !== undefined && !Number.isSafeInteger(value) && /^[0-9]+$/.test(source)
      ? BigInt(source)
      : value;
  try {
    return JSON.parse(text, exact);
  } catch (error) {
    throw bad(where, `no JSON: ${String((error as Error).message)}`);
  }
}

export const bad = (where: string, what: string): UsageError => new UsageError(`${where}: ${what}`);

export function object(value: unknown, keys: string, where: string): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw bad(where, "expected an object");
  const stranger = Object.keys(value).find((key) => !keys.split(" ").includes(key));
  if (stranger !== undefined) throw bad(where, `unknown key ${JSON.stringify(stranger)} (known: ${keys})`);
  return value as Json;
}

/** An array or nothing: Go writes an empty list as null. */
export function list(value: unknown, where: string): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw bad(where, "expected an array");
  return value;
}

export function strings(value: unknown, where: string): string[] {
  return list(value, where).map((word) => {
    if (typeof word !== "string") throw bad(where, "expected strings");
    return word;
  });
}

export function unsigned(value: unknown, limit: bigint, where: string): bigint {
  const given = typeof value === "bigint" ? value : typeof value === "number" && Number.isInteger(value) ? BigInt(value) : -1n;
  if (given < 0n || given > limit) throw bad(where, `expected a whole number from 0 to ${limit}`);
  return given;
}
