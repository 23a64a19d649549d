/**
 * The parser of the one hot path, `nsrun [run] [OPTIONS] [--] [COMMAND…]`, from the option table. commander, which parses
 * for the other commands, costs 4 ms to load: as much again as an empty Bun program.
 */

import type { RunOptions } from "../container/options.ts";
import { UsageError } from "../errors.ts";
import { didYouMean } from "../near.ts";
import { fieldOf, type Option, PROGRAM_OPTIONS, runOptions } from "./options.ts";

/** The library's options, and those of the command line alone. */
export interface CommandOptions extends Omit<RunOptions, "tty"> {
  tty?: boolean;
  interactive?: boolean;
  /** Seconds. */
  stopTimeout?: string;
  /** What to print instead of running. */
  plan?: "text" | "verbose" | "json" | "sh" | "mermaid" | "oci";
  verbose?: boolean;
  timings?: "text" | "json";
  step?: boolean;
}

export interface Parsed {
  readonly options: CommandOptions;
  readonly command: readonly string[];
  /** --help or -h was there. */
  readonly help: boolean;
}

/** The option that `matches`. A search, not an index: words are few, and an index of all options costs more than they do. */
const named = (matches: (option: Option) => boolean): Option | undefined => runOptions().find(matches);

const names = (): string[] =>
  [...runOptions(), ...PROGRAM_OPTIONS].flatMap(({ name, negative }) => (negative ? [name, `no-${name}`] : [name]));

function unknown(word: string): UsageError {
  if (/^--errors?(=|$)/.test(word))
    return new UsageError(`unknown option ${word}`, { hint: "it stands before everything else: nsrun --errors=json run …" });
  const near = didYouMean(word.replace(/^-+/, ""), names());
  return new UsageError(`unknown option ${word}`, { hint: near ? `did you mean --${near}?` : "see: nsrun run --help" });
}

/** Finds the option that a word starts: the option, its inline value, whether it was negated. */
function find(word: string): { option: Option; inline: string | undefined; negated: boolean } {
  if (!word.startsWith("--")) {
    const option = named(({ short }) => short !== undefined && short === word[1]);
    if (!option) throw unknown(word);
    return { option, inline: word.length > 2 ? word.slice(word[2] === "=" ? 3 : 2) : undefined, negated: false };
  }
  const at = word.indexOf("=");
  const name = at < 0 ? word.slice(2) : word.slice(2, at);
  const inline = at < 0 ? undefined : word.slice(at + 1);
  const positive = name.startsWith("no-") ? named((one) => one.name === name.slice(3) && one.negative !== undefined) : undefined;
  const negated = positive !== undefined;
  const option = positive ?? named((one) => one.name === name);
  if (!option) throw unknown(at < 0 ? word : word.slice(0, at));
  return { option, inline, negated };
}

function choice(option: Option, choices: readonly string[], given: string | undefined): string | undefined {
  if (given === undefined || choices.includes(given)) return given ?? choices[0];
  const near = didYouMean(given, choices);
  throw new UsageError(
    `--${option.name}=${given}: expected one of ${choices.join(" ")}`,
    near ? { hint: `did you mean ${near}?` } : {},
  );
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
    if (option.choices) {
      fields[field] = choice(option, option.choices, inline);
      continue;
    }
    if (option.value === undefined) {
      fields[field] = !negated;
      if (inline === undefined) continue;
      if (word.startsWith("--") || inline === "") throw new UsageError(`--${option.name} takes no value`);
      argv = argv.with(at--, `-${inline}`); // -it is -i -t
      continue;
    }
    if (word === "-v" && fields.plan !== undefined && (argv[at + 1] ?? "-").startsWith("-")) {
      fields.verbose = true; // no volume begins like an option: with --plan this is the -v of other tools
      continue;
    }
    const value = inline ?? argv[++at];
    if (value === undefined) throw new UsageError(`--${option.name} needs a value: ${option.value}`);
    if (option.once && fields[field] !== undefined)
      throw new UsageError(`--${option.name} is given twice: ${fields[field]} and ${value}`);
    if (option.many) fields[field] = [...((fields[field] as string[] | undefined) ?? []), value];
    else fields[field] = value;
  }
  return { options: fields as CommandOptions, command: argv.slice(at), help: false };
}
