/** `nsrun __complete WORD…`: what could stand in the last word's place, from the tables. The scripts in completion/ ask. */
import { findCommand, visible } from "./commands.ts";
import { type Entry, optionsOf } from "./entry.ts";
import { HELP, longOption, type Option, PROGRAM_OPTIONS } from "./options.ts";
import { print } from "./print.ts";
import { type Candidate, valueCandidates } from "./values.ts";

/** What the words before the last one amount to. */
interface State {
  readonly entry: Entry;
  readonly options: readonly Option[];
  readonly operands: number;
  /** Options that were given. */
  readonly given: ReadonlySet<Option>;
  /** Its value is what is being typed. */
  readonly pending: Option | undefined;
  /** No option can follow: there was `--`, or a command of the container's. */
  readonly ended: boolean;
}

/** How it may be written: with or without no-, or both. */
const spellings = (option: Option): readonly string[] =>
  option.negative === "too" ? [`--${option.name}`, `--no-${option.name}`] : [longOption(option)];

function optionOf(options: readonly Option[], word: string): Option | undefined {
  const name = word.split("=", 1)[0];
  if (word.startsWith("--")) return options.find((option) => spellings(option).includes(name!) || `--${option.name}` === name);
  const first = options.find(({ short }) => short === word[1]);
  // -it is -i -t
  if (first && first.value === undefined && word.length > 2) return optionOf(options, `-${word.slice(2)}`);
  return first;
}

/** The option whose value is the next word. */
const wantsWord = (option: Option | undefined, word: string): boolean =>
  option?.value !== undefined && (word.startsWith("--") ? !word.includes("=") : option.short === word.at(-1));

function read(entry: Entry, options: readonly Option[], words: readonly string[]): State {
  const given = new Set<Option>();
  let operands = 0;
  let pending: Option | undefined;
  let ended = false;
  for (const word of words) {
    if (pending) pending = undefined;
    else if (!ended && word === "--") ended = true;
    else if (!ended && word.startsWith("-") && word !== "-") {
      const option = optionOf(options, word);
      if (option && !option.many) given.add(option);
      if (wantsWord(option, word)) pending = option;
    } else {
      operands++;
      ended ||= entry.raw === true;
    }
  }
  return { entry, options, operands, given, pending, ended };
}

const word = (text: string, help: string): Candidate => ({ kind: "word", text, help });

function optionCandidates({ options, given }: State, text: string): Candidate[] {
  const open = options.filter((option) => !given.has(option));
  const short = text === "-" ? open.filter((option) => option.short).map((option) => word(`-${option.short}`, option.help)) : [];
  const long = open.flatMap((option) => [
    ...spellings(option).map((name) => word(name, option.help)),
    ...(option.choices ? [{ kind: "part", text: `${longOption(option)}=`, help: option.help } as const] : []),
  ]);
  return [...short, ...long].filter((candidate) => candidate.text.startsWith(text));
}

/** The words of the container's command are the shell's business: a program's name, then files. */
function operandCandidates({ entry, operands }: State, text: string): Promise<Candidate[]> | Candidate[] {
  if (entry.raw) return [{ kind: operands === 0 ? "commands" : "files", text: "" }];
  const list = entry.operands ?? [];
  const operand = list[operands] ?? (list.at(-1)?.many ? list.at(-1) : undefined);
  return operand ? valueCandidates(entry.name, operand.value, text) : [];
}

/** `options` are all that may be given, `before` the words of the command before `text`. */
export async function candidatesIn(entry: Entry, options: readonly Option[], before: readonly string[], text: string) {
  const state = read(entry, options, before);
  if (state.pending) return valueCandidates(state.pending.name, state.pending.value!, text);
  if (state.ended || !text.startsWith("-")) return operandCandidates(state, text);
  const at = text.indexOf("=");
  const option = at < 0 ? undefined : optionOf(state.options, text);
  const value = option?.value ?? option?.choices?.join("|");
  if (!option || !value) return optionCandidates(state, text);
  const start = text.slice(0, at + 1);
  const found = await valueCandidates(option.name, value, text.slice(start.length));
  return found.map((candidate) => ({ ...candidate, text: start + candidate.text }));
}

/** Names of commands that go on from `before`, a word each. */
export function commandCandidates(before: readonly string[], text: string, commands = visible()): Candidate[] {
  const start = before.map((name) => `${name} `).join("");
  const entries = commands.filter(({ name }) => name.startsWith(start + text));
  const next = (name: string): string => name.slice(start.length).split(" ", 1)[0]!;
  const first = entries.filter(({ name }, i) => entries.findIndex((other) => next(other.name) === next(name)) === i);
  return first.map(({ name, summary }) => word(next(name), summary));
}

/** `--errors=json` before the command's name changes nothing of what follows. */
export const isLeading = (word: string, options = PROGRAM_OPTIONS): boolean =>
  options.some((option) => option.leading && longOption(option) === word.split("=", 1)[0]);

/** What can stand for the last of `words`, those before it given. */
export async function candidates(words: readonly string[]): Promise<Candidate[]> {
  const text = words.at(-1) ?? "";
  let before = words.slice(0, -1);
  while (before[0] !== undefined && isLeading(before[0])) before = before.slice(1);
  const found = findCommand(before);
  if (found?.entry.name === "help") return commandCandidates(before.slice(1), text);
  const second = before.length === 1 ? commandCandidates(before, text) : [];
  if (second.length > 0) return second;
  if (found && !found.entry.hidden) {
    return candidatesIn(found.entry, optionsOf(found.entry), before.slice(found.length), text);
  }
  if (!(before[0] ?? text).startsWith("-")) return commandCandidates(before, text);
  const run = findCommand(["run"])!.entry;
  return candidatesIn(run, [...(run.options ?? []), ...(before.length === 0 ? PROGRAM_OPTIONS : [HELP])], before, text);
}

/** One candidate a line: its kind, its text, its help, with tabs between. */
export async function complete(words: readonly string[]): Promise<number> {
  const clean = (await candidates(words)).filter(({ text }) => !/[\t\n]/.test(text));
  await print(clean.map(({ kind, text, help = "" }) => `${kind}\t${text}\t${help}\n`).join(""));
  return 0;
}
