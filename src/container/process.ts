/** The command's surroundings: environment, user, limits, working directory. */
import { UsageError } from "../errors.ts";
import { exactText, REPLACED, shownBytes, wordsOf } from "../ffi/exact.ts";
import { readBytes } from "../ffi/file.ts";
import { RLIMIT } from "../ffi/flags.ts";
import { bytes, must } from "../ffi/syscall.ts";
import { textOf } from "../ffi/text.ts";
import type { ProcessSpec } from "../plan/spec.ts";
import type { ContainerOptions } from "./options.ts";
import { regularText } from "./regular.ts";

const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** A variable of the caller's. Where Bun shows U+FFFD, the bytes that we were started with are looked at. Throws UsageError. */
function callersValue(key: string, option: string): string | undefined {
  const value = process.env[key];
  if (!value?.includes(REPLACED)) return value;
  const all = readBytes("/proc/self/environ");
  const word = typeof all === "number" ? undefined : wordsOf(all).find((one) => textOf(one) === `${key}=${value}`);
  if (word && exactText(word) === undefined) throw new UsageError(`${option}: the value is not valid UTF-8: ${shownBytes(word)}`);
  return value;
}

/** KEY=VALUE, or KEY: the caller's value, if it has one. */
function assign(env: Map<string, string>, text: string, option: string): void {
  const at = text.indexOf("=");
  const key = at < 0 ? text : text.slice(0, at);
  if (key === "" || text.includes("\0")) throw new UsageError(`${option} ${JSON.stringify(text)}: expected KEY=VALUE or KEY`);
  const value = at < 0 ? callersValue(key, `${option} ${key}`) : text.slice(at + 1);
  if (value !== undefined) env.set(key, value);
}

/** The variables asked for: files first, then -e. */
function assignments(options: Pick<ContainerOptions, "env" | "envFile">): Map<string, string> {
  const env = new Map<string, string>();
  for (const file of options.envFile ?? []) {
    for (const line of regularText(file, `--env-file ${file}`).split("\n")) {
      const text = line.trim();
      if (text !== "" && !text.startsWith("#")) assign(env, text, `--env-file ${file}: line`);
    }
  }
  const given = options.env ?? [];
  const pair = ([key, value]: [string, unknown]) => {
    if (typeof value !== "string") throw new UsageError(`env: the value of ${key} is no string`);
    if (key.includes("=")) throw new UsageError(`env: the name ${JSON.stringify(key)} has a = in it`);
    return `${key}=${value}`;
  };
  for (const text of Array.isArray(given) ? given : Object.entries(given).map(pair)) assign(env, text, "--env");
  return env;
}

/** KEY=VALUE of `base` with what the options say put over it. */
export function overlayEnvironment(
  base: readonly string[],
  options: Pick<ContainerOptions, "env" | "envFile">,
): readonly string[] {
  if (options.env === undefined && options.envFile === undefined) return base;
  const split = (text: string): [string, string] => [text.slice(0, text.indexOf("=")), text.slice(text.indexOf("=") + 1)];
  return [...new Map([...base.map(split), ...assignments(options)])].map(([key, value]) => `${key}=${value}`);
}

/** Built from scratch: nothing of the caller's but TERM, and what is asked for. */
export function environment(options: Pick<ContainerOptions, "env" | "envFile">, home: string): readonly string[] {
  const term = process.env.TERM === undefined ? [] : [`TERM=${callersValue("TERM", "TERM")}`];
  return overlayEnvironment([`PATH=${PATH}`, `HOME=${home}`, "container=nsrun", ...term], options);
}

function limit(text: string, option: string): number {
  if (text === "unlimited" || text === "-1") return Number.POSITIVE_INFINITY;
  if (!/^[0-9]{1,15}$/.test(text)) throw new UsageError(`${option}: not a number: ${text}`);
  return Number(text);
}

/** The word at `at` of struct rlimit64; all bits set are RLIM64_INFINITY. No BigInt: its first use costs a start some 20 µs. */
function limitAt(words: Uint32Array, at: number): number {
  const [low, high] = [words[at * 2]!, words[at * 2 + 1]!];
  return (low & high) === -1 ? Number.POSITIVE_INFINITY : high * 2 ** 32 + low;
}

/** Soft and hard limit of ours: prlimit(2). */
export function current(resource: number): { soft: number; hard: number } {
  const now = bytes(16);
  must("read a resource limit", "prlimit64", 0, resource, null, now);
  const words = new Uint32Array(now.buffer);
  return { soft: limitAt(words, 0), hard: limitAt(words, 1) };
}

/** systemd's: select(2) cannot take more than 1024, who needs more raises the soft limit. And no core of a stranger on the disk. */
function defaultLimits(): ProcessSpec["rlimits"] {
  const ours = current(RLIMIT.nofile).hard;
  const hard = ours < 524288 ? ours : 524288;
  return [
    { name: "nofile", resource: RLIMIT.nofile, soft: hard < 1024 ? hard : 1024, hard },
    { name: "core", resource: RLIMIT.core, soft: 0, hard: 0 },
  ];
}

/** The default limits, and NAME=SOFT[:HARD] */
export function limits(options: ContainerOptions): ProcessSpec["rlimits"] {
  if (!options.ulimit?.length) return defaultLimits();
  const given = options.ulimit.map((text) => {
    const option = `--ulimit ${text}`;
    const [name = "", value = "", ...beyond] = text.split("=");
    const resource = RLIMIT[name as keyof typeof RLIMIT];
    if (!Object.hasOwn(RLIMIT, name)) throw new UsageError(`${option}: unknown limit (known: ${Object.keys(RLIMIT).join(" ")})`);
    const [soft = "", hard = soft, ...more] = value.split(":");
    if (beyond.length + more.length > 0) throw new UsageError(`${option}: expected NAME=SOFT[:HARD]`);
    const spec = { name, resource, soft: limit(soft, option), hard: limit(hard, option) };
    if (spec.soft > spec.hard) throw new UsageError(`${option}: the soft limit is above the hard limit`);
    const ours = current(resource);
    return spec.hard > ours.hard ? { ...spec, raised: Math.min(ours.soft, spec.hard) } : spec;
  });
  const last = new Map(given.map((one) => [one.name, one])); // of two of a kind
  return [...defaultLimits().filter(({ name }) => !last.has(name)), ...last.values()];
}

/** Whole seconds, negative too, for a time namespace. */
export function seconds(value: number | string | undefined, option: string): number {
  if (value === undefined) return 0;
  const text = String(value);
  if (!/^-?[0-9]{1,12}$/.test(text)) throw new UsageError(`${option} ${text}: expected whole seconds`);
  return Number(text);
}
