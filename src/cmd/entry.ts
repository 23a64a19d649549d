/** What the table of commands says of each, and how that is written. */
import { HELP, longOption, type Option } from "./options.ts";

/** What a command is given besides options. */
export interface Operand {
  /** As in the usage, and as `value` of an option: `TAR`, `DIR`, `bash|zsh|fish`. */
  readonly value: string;
  readonly help: string;
  readonly optional?: true;
  /** The last one may be repeated. */
  readonly many?: true;
}

/** A command line (without the word `nsrun`) that works, and what it is good for. */
export type Example = readonly [line: string, what: string];

/** Returns the exit code. Options by {@link fieldOf} their names, as commander has them. */
export type Action = (operands: readonly string[], options: Readonly<Record<string, unknown>>) => Promise<number>;

export interface Entry {
  /** One word, or two for a command of a command: `seccomp dump`. */
  readonly name: string;
  /** It is meant by the first of its two words alone as well. */
  readonly alone?: true;
  /** A line of the list of commands: lower case, no full stop. */
  readonly summary: string;
  /** Sentences. */
  readonly about: string;
  readonly operands?: readonly Operand[];
  readonly options?: readonly Option[];
  /** At least one. */
  readonly examples: readonly Example[];
  /** Its words reach the action as they are. With options: after the first operand none is nsrun's, as with run. */
  readonly raw?: true;
  /** In no list: what other programs call. */
  readonly hidden?: true;
  /** The action's file is loaded when it is wanted, and only then. */
  readonly load: () => Promise<Action>;
}

/** All options that a command takes. */
export const optionsOf = (entry: Entry): readonly Option[] => [...(entry.options ?? []), HELP];

/** `COMMAND [ARG…]` */
export const operandsText = (entry: Entry): string =>
  (entry.operands ?? [])
    .map(({ value, optional, many }) => `${optional ? "[" : ""}${value}${many ? "…" : ""}${optional ? "]" : ""}`)
    .join(" ");

/** `nsrun run [OPTION…] [--] COMMAND [ARG…]` */
export function usage(entry: Entry): string {
  const end = entry.raw && entry.options ? "[--]" : "";
  return ["nsrun", entry.name, entry.options?.length ? "[OPTION…]" : "", end, operandsText(entry)].filter(Boolean).join(" ");
}

/** `-p, --publish [ADDR:]HOST:CONTAINER`, `--no-init`, `--plan[=text|json]` */
export function optionText(option: Option): string {
  const { short, value, choices } = option;
  const long = `${short ? `-${short}, ` : ""}${longOption(option)}`;
  if (choices) return `${long}[=${choices.join("|")}]`;
  return value === undefined ? long : `${long} ${value}`;
}
