/** `--landlock` rules as the masks of a Landlock ruleset: landlock(7). */
import { NsrunError, UsageError } from "../errors.ts";
import { errnoName } from "../ffi/errno.ts";
import { sys } from "../ffi/syscall.ts";
import type { LandlockSpec } from "../plan/spec.ts";
import { FS, NET, ON_FILES, type Right, SCOPE, SETS } from "./landlock-rights.ts";

/** The rules as they were given. */
interface Rules {
  readonly paths: { readonly path: string; readonly access: readonly string[] }[];
  /** By right: the ports allowed, or "any". */
  readonly ports: Map<string, number[] | "any">;
  scopes: string[] | undefined;
  readonly optional: Set<string>;
}

/** For the command line's help. */
export const LANDLOCK_FORMS = "ro|rx|rw|rwx|dev:PATH, connect|bind:PORT,…|none|any, scope:…, optional:…";

function oneOf(word: string, known: readonly string[], option: string, what: string): string {
  if (!known.includes(word))
    throw new UsageError(`${option}: unknown ${what} ${JSON.stringify(word)} (known: ${known.join(" ")})`);
  return word;
}

function addPorts(rules: Rules, right: string, text: string, option: string): void {
  const before = rules.ports.get(right);
  if (text === "any") {
    if (before !== undefined) throw new UsageError(`${option}: contradicts another ${right} rule`);
    rules.ports.set(right, "any");
    return;
  }
  if (before === "any") throw new UsageError(`${option}: contradicts ${right}:any`);
  const ports = text === "none" ? [] : text.split(",");
  for (const port of ports) {
    if (!/^(0|[1-9]\d{0,4})$/.test(port) || Number(port) > 65535)
      throw new UsageError(`${option}: expected ports from 0 to 65535, "none" or "any"`);
  }
  rules.ports.set(right, [...(before ?? []), ...ports.map(Number)]);
}

function addPath(rules: Rules, words: string, path: string, option: string): void {
  const known = [...Object.keys(SETS), ...Object.keys(FS)];
  const access = words.split(",").flatMap((word) => SETS[oneOf(word, known, option, "access")] ?? [word]);
  if (!path.startsWith("/")) throw new UsageError(`${option}: expected an absolute path`);
  rules.paths.push({ path, access });
}

/** Throws UsageError. */
function parse(texts: readonly string[]): Rules {
  const rules: Rules = { paths: [], ports: new Map(), scopes: undefined, optional: new Set() };
  const rights = [FS, NET, SCOPE].flatMap((table) => Object.keys(table));
  for (const text of texts) {
    const option = `--landlock ${text}`;
    const at = text.indexOf(":");
    if (at < 1 || at === text.length - 1) throw new UsageError(`${option}: expected ${LANDLOCK_FORMS}`);
    const [kind, value] = [text.slice(0, at), text.slice(at + 1)];
    const words = value.split(",");
    if (Object.hasOwn(NET, kind)) addPorts(rules, kind, value, option);
    else if (kind === "scope") {
      const names = words.map((word) => oneOf(word, [...Object.keys(SCOPE), "all", "none"], option, "scope"));
      const all = names.includes("all") ? Object.keys(SCOPE) : names.filter((name) => name !== "none");
      rules.scopes = [...(rules.scopes ?? []), ...all];
    } else if (kind === "optional") {
      for (const word of words) rules.optional.add(oneOf(word, [...rights, "all"], option, "right"));
    } else addPath(rules, kind, value, option);
  }
  return rules;
}

/** The version of the kernel's Landlock, or -errno: ENOSYS not built in, EOPNOTSUPP not switched on. */
export const landlockAbi = (): number => sys("landlock_create_ruleset", null, 0, 1 /* LANDLOCK_CREATE_RULESET_VERSION */);

/** What the kernel is to restrict, of each kind. `alone`: there is nothing else, so everything is. */
function wanted(rules: Rules, alone: boolean): Record<"fs" | "net" | "scoped", string[]> {
  const net = Object.keys(NET).filter((right) => (alone || rules.ports.has(right)) && rules.ports.get(right) !== "any");
  return {
    fs: alone || rules.paths.length > 0 ? Object.keys(FS) : [],
    net,
    scoped: [...new Set(rules.scopes ?? (alone ? Object.keys(SCOPE) : []))],
  };
}

const maskOf = (table: Readonly<Record<string, Right>>, names: readonly string[]): number =>
  names.reduce((mask, name) => mask | table[name]![0], 0);

/** What --no-namespaces says, every time. */
export const WEAKER =
  "no namespaces: Landlock alone holds the command, which is weaker than a container: it sees the host's processes and network and " +
  "is not kept from UDP, UNIX sockets with a path, System V IPC, or from changing modes, owners and times of your files";

function noLandlock(abi: number): NsrunError {
  const hint =
    errnoName(-abi) === "EOPNOTSUPP"
      ? "Landlock is built in but not switched on: add landlock to the kernel's parameter lsm="
      : "it needs Linux 5.13 with CONFIG_SECURITY_LANDLOCK";
  return new NsrunError(`--landlock: this kernel has no Landlock (${errnoName(-abi)})`, { hint });
}

/**
 * Rules for a kernel of version `abi`. A right that it cannot restrict is an error unless a rule `optional:RIGHT` says
 * otherwise; such rights are returned as `left`. `ruleset` is undefined where the kernel has no Landlock and all is optional.
 * @throws UsageError for a rule that is none, NsrunError for a kernel that cannot do it
 */
export function landlockRuleset(
  texts: readonly string[],
  alone: boolean,
  abi = landlockAbi(),
): { ruleset: LandlockSpec | undefined; left: string[] } {
  const rules = parse(texts);
  const want = wanted(rules, alone);
  const all = [...want.fs, ...want.net, ...want.scoped];
  if (all.length === 0) throw new UsageError("--landlock: the rules restrict nothing");
  const optional = (name: string) => rules.optional.has(name) || rules.optional.has("all");
  if (abi < 1) {
    if (alone || !all.every(optional)) throw noLandlock(abi);
    return { ruleset: undefined, left: all };
  }
  const table = { ...FS, ...NET, ...SCOPE };
  const left = all.filter((name) => table[name]![1] > abi);
  const refused = left.filter((name) => !optional(name));
  if (refused.length > 0) {
    const hint = `--landlock optional:${refused.join(",")} leaves them free where the kernel cannot do it`;
    throw new NsrunError(`--landlock: this kernel (ABI ${abi}) cannot restrict ${refused.join(", ")}`, { hint });
  }
  const able = (names: readonly string[]) => names.filter((name) => table[name]![1] <= abi && (name !== "refer" || abi >= 2));
  const fs = maskOf(FS, able(want.fs));
  const net = maskOf(NET, able(want.net));
  const paths = rules.paths.map(({ path, access }) => {
    const mask = maskOf(FS, access) & fs;
    return { path, access: mask, onFile: mask & maskOf(FS, ON_FILES), text: able(access).join("|") };
  });
  const ports = [...rules.ports].flatMap(([right, list]) =>
    list === "any" || (NET[right]![0] & net) === 0 ? [] : list.map((port) => ({ port, access: NET[right]![0], text: right })),
  );
  const scoped = maskOf(SCOPE, able(want.scoped));
  if ((fs | net | scoped) === 0) return { ruleset: undefined, left }; // the kernel has no empty rulesets (ENOMSG)
  return { ruleset: { fs, net, scoped, paths, ports, alone }, left };
}
