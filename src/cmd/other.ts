/** Every command but `run`: found in the table, its words parsed by commander, which is made from the table as well. */
import { UsageError } from "../errors.ts";
import { didYouMean } from "../near.ts";
import { word as quoted } from "../plan/sh-words.ts";
import { findCommand, visible } from "./commands.ts";
import { type Entry, usage } from "./entry.ts";
import { longOption } from "./options.ts";

/** There is no such command. */
export function unknownCommand(asked: string, otherwise = "see: nsrun help"): UsageError {
  const names = visible().map(({ name }) => name);
  const meant = names.find((name) => name.startsWith(`${asked} `)) ?? didYouMean(asked, names);
  return new UsageError(`no such command: ${asked}`, { hint: meant ? `did you mean ${meant}?` : otherwise });
}

interface Words {
  readonly operands: readonly string[];
  readonly options: Readonly<Record<string, unknown>>;
}

/** commander says `error: unknown option '--jsno'`. */
function usageError(message: string, entry: Entry): UsageError {
  const text = message.replace(/^error: /, "").replace(/'/g, "");
  const word = /^unknown option --?([^=]*)/.exec(text)?.[1];
  const meant = word && didYouMean(word, ["help", ...(entry.options ?? []).map(({ name }) => name)]);
  return new UsageError(text, { hint: meant ? `did you mean --${meant}?` : `usage: ${usage(entry)}` });
}

/** commander would take the word behind `--plan` for its value. */
function withChoices(entry: Entry, words: readonly string[]): string[] {
  const end = words.includes("--") ? words.indexOf("--") : words.length;
  return words.map((word, i) => {
    const choices = i < end ? entry.options?.find((option) => longOption(option) === word)?.choices : undefined;
    return choices ? `${word}=${choices[0]}` : word;
  });
}

/** Options may stand before, between and after the operands; `--` ends them. Throws UsageError. */
export async function parseWords(entry: Entry, words: readonly string[]): Promise<Words> {
  const { Argument, Command, CommanderError, Option: CommanderOption } = await import("commander");
  const command = new Command(entry.name).exitOverride().helpOption(false).allowExcessArguments(false);
  command.configureOutput({ writeErr: () => {} }).showSuggestionAfterError(false);
  for (const { value, optional, many } of entry.operands ?? []) {
    const name = `${value}${many ? "..." : ""}`;
    command.addArgument(new Argument(optional ? `[${name}]` : `<${name}>`));
  }
  const append = (value: string, all: string[] | undefined): string[] => [...(all ?? []), value];
  for (const option of entry.options ?? []) {
    const { short, value, choices, many, help } = option;
    const flags = `${short ? `-${short}, ` : ""}${longOption(option)}${value || choices ? " <value>" : ""}`;
    const made = new CommanderOption(flags, help);
    if (choices) made.choices(choices);
    command.addOption(many ? made.argParser(append) : made);
  }
  try {
    command.parse(withChoices(entry, words), { from: "user" });
  } catch (error) {
    throw error instanceof CommanderError ? usageError(error.message, entry) : error;
  }
  return { operands: command.args, options: command.opts() };
}

/** Runs what argv says. Throws UsageError for what is not in the table. */
export async function otherCommand(argv: readonly string[]): Promise<number> {
  const found = findCommand(argv);
  const family = visible().some(({ name }) => name.startsWith(`${argv[0]} `));
  if (!found)
    throw unknownCommand(argv.slice(0, family ? 2 : 1).join(" "), `to run a program: nsrun run -- ${argv.map(quoted).join(" ")}`);
  const { entry, length } = found;
  const words = argv.slice(length);
  const { operands, options } = entry.raw ? { operands: words, options: {} } : await parseWords(entry, words);
  return (await entry.load())(operands, options);
}
