/** Structures in memory by their fields' names, where making that text would cost a run something. Loaded by who shows a plan. */
import { names } from "../ffi/flags.ts";
import { FS, NET, type Right, SCOPE } from "../security/landlock-rights.ts";
import type { SyscallStep, Words } from "./step.ts";
import { LANDLOCK_RULE } from "./words.ts";

type Rights = Readonly<Record<string, Right>>;

/** The constants of linux/landlock.h. */
const constants = (rights: Rights, word: (name: string) => string): Record<string, number> =>
  Object.fromEntries(Object.entries(rights).map(([name, [bit]]) => [word(name.toUpperCase().replaceAll("-", "_")), bit]));
const FS_WORDS = constants(FS, (name) => `LANDLOCK_ACCESS_FS_${name}`);
const NET_WORDS = constants(NET, (name) => `LANDLOCK_ACCESS_NET_${name}_TCP`);
const SCOPE_WORDS = constants(SCOPE, (name) => `LANDLOCK_SCOPE_${name}`);

function ruleset([fs, net, scoped]: readonly number[]): string {
  return `{handled_access_fs=${names(FS_WORDS, fs!)}, handled_access_net=${names(NET_WORDS, net!)}, scoped=${names(SCOPE_WORDS, scoped!)}}`;
}

function rule(type: unknown, [access, of]: Words["words"]): string {
  if (type === LANDLOCK_RULE.LANDLOCK_RULE_NET_PORT)
    return `{allowed_access=${names(NET_WORDS, Number(access))}, port=${String(of)}}`;
  const parent = typeof of === "object" && of !== null && "slot" in of ? `<${of.slot}>` : String(of);
  return `{allowed_access=${names(FS_WORDS, Number(access))}, parent_fd=${parent}}`;
}

/** Argument `index` of the step, a structure in memory; undefined: its own text says it. */
export function structFor({ call, args }: SyscallStep, index: number, { words }: Words): string | undefined {
  if (call === "landlock_create_ruleset" && index === 0) return ruleset(words.map(Number));
  if (call === "landlock_add_rule" && index === 2) return rule(args[1], words);
  return undefined;
}
