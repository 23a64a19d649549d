/**
 * The parser of the one hot path, `nsrun [run] [OPTIONS] [--] [COMMAND…]`, from the option table. commander, which makes
 * the help and all other commands, costs 5 ms to load: as much again as an empty Bun program.
 */

import type { RunOptions } from "../container/options.ts";
import { UsageError } from "../errors.ts";
import { didYouMean } from "../near.ts";
import { fieldOf, type Option, RUN_OPTIONS } from "./options.ts";

/** The library's options, and those of the command line alone. */
export interface CommandOptions extends Omit<RunOptions, "tty"> {
  tty?: boolean;
  interactive?: boolean;
  /** Seconds. */
  stopTimeout?: string;
}

export interface Parsed {
  readonly options: CommandOptions;
  readonly command: readonly string[];
  /** --help or -h was there. */
  readonly help: boolean;
}

const byName = new Map(RUN_OPTIONS.map((option) => [option.name, option]));
const byShort = new Map(RUN_OPTIONS.filter((option) => option.short).map((option) => [option.short!, option]));

function unknown(word: string): UsageError {
  const near = didYouMean(word.replace(/^-+/, ""), [...byName.keys(), "no-init", "no-new-keyring"]);
  return new UsageError(`unknown option ${word}`, { hint: near ? `did you mean --${near}?` : "see: nsrun run --help" });
}

/** Finds the option that a word starts: the option, its inline value, whether it was negated. */
function find(word: string): { option: Option; inline: string | undefined; negated: boolean } {
  if (!word.startsWith("--")) {
    const option = byShort.get(word[1] ?? "");
    if (!option) throw unknown(word);
    return { option, inline: word.length > 2 ? word.slice(word[2] === "=" ? 3 : 2) : undefined, negated: false };
  }
  const at = word.indexOf("=");
  const name = at < 0 ? word.slice(2) : word.slice(2, at);
  const inline = at < 0 ? undefined : word.slice(at + 1);
  const negated = name.startsWith("no-") && byName.get(name.slice(3))?.negative !== undefined;
  const option = byName.get(negated ? name.slice(3) : name);
  if (!option) throw unknown(at < 0 ? word : word.slice(0, at));
  return { option, inline, negated };
}

/** Everything before the first word that is no option is ours; nothing after it is. Throws UsageError. */
export function parseRun(words: readonly string[]): Parsed {
  let argv = words;
  const fields: Record<string, unknown> = {};
  let at = 0;
  for (; at < argv.length; at++) {
    const word = argv[at]!;
    if (word === "--") {
      at++;
      break;
    }
    if (word === "--help" || word === "-h") return { options: {}, command: [], help: true };
    if (!word.startsWith("-") || word === "-") break;
    const { option, inline, negated } = find(word);
    const field = fieldOf(option.name);
    if (option.value === undefined) {
      fields[field] = !negated;
      if (inline === undefined) continue;
      if (word.startsWith("--") || inline === "") throw new UsageError(`--${option.name} takes no value`);
      argv = argv.with(at--, `-${inline}`); // -it is -i -t
      continue;
    }
    const value = inline ?? argv[++at];
    if (value === undefined) throw new UsageError(`--${option.name} needs a value: ${option.value}`);
    if (option.many) fields[field] = [...((fields[field] as string[] | undefined) ?? []), value];
    else fields[field] = value;
  }
  return { options: fields as CommandOptions, command: argv.slice(at), help: false };
}
