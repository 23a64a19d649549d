/**
 * Help texts, from the tables alone: commander could write them too, but takes longer to load (4 ms) than an empty Bun
 * program to run. See docs/design/0014-help.md.
 */
import { ABOUT, EXAMPLES, EXIT_CODES } from "./about.ts";
import { findCommand, visible } from "./commands.ts";
import { type Entry, type Example, optionsOf, optionText, usage } from "./entry.ts";
import { type Option, PROGRAM_OPTIONS } from "./options.ts";
import { colours, print, screen } from "./print.ts";

export interface Style {
  /** Columns. */
  readonly width: number;
  readonly heading: (text: string) => string;
  readonly term: (text: string) => string;
}

type Pair = readonly [term: string, text: string];

/** More columns than this make lines that are hard to read. */
const WIDEST = 120;
/** A longer term stands on a line of its own. */
const LONGEST_TERM = 36;

/** Lines of at most `width` columns, broken at blanks; what is longer than that stays whole. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** Where the texts beside `pairs` begin. A term that would leave them less than half of the line stands on its own. */
function columnOf(pairs: readonly Pair[], width: number): number {
  const fitting = pairs.map(([term]) => term.length).filter((length) => length <= Math.min(LONGEST_TERM, width / 2 - 4));
  return Math.max(2, ...fitting) + 4;
}

/** Terms with their texts beside them, or below where there is no room. */
function table(pairs: readonly Pair[], style: Style, column = columnOf(pairs, style.width)): string[] {
  return pairs.flatMap(([term, text]) => {
    const lines = wrap(text, Math.max(20, style.width - column)).map((line) => " ".repeat(column) + line);
    const start = `  ${style.term(term)}`;
    if (term.length + 4 > column) return [start, ...lines];
    return [start + lines[0]!.slice(term.length + 2), ...lines.slice(1)];
  });
}

const section = (title: string, lines: readonly string[], style: Style): string[] =>
  lines.length === 0 ? [] : ["", style.heading(`${title}:`), ...lines];

const exampleLines = (examples: readonly Example[], style: Style): string[] =>
  table(
    examples.map(([line, what]) => [`nsrun ${line}`.trim(), what]),
    style,
  );

/** All groups with one column, which the longest options do not set. */
function optionSections(options: readonly Option[], style: Style): string[] {
  const pairOf = (option: Option): Pair => [optionText(option), option.help];
  const column = Math.min(30, Math.floor(style.width * 0.4), columnOf(options.map(pairOf), style.width));
  const groups = [...new Set(options.map(({ group }) => group))];
  return groups.flatMap((group) => {
    const pairs = options.filter((option) => option.group === group).map(pairOf);
    return section(group, table(pairs, style, column), style);
  });
}

function commandHelp(entry: Entry, style: Style): string[] {
  const operands = (entry.operands ?? []).map(({ value, help }): Pair => [value, help]);
  return [
    ...wrap(usage(entry), style.width - 7).map((line, i) => (i === 0 ? `${style.heading("Usage:")} ${line}` : `       ${line}`)),
    "",
    ...wrap(entry.about, style.width),
    ...section("Arguments", table(operands, style), style),
    ...optionSections(optionsOf(entry), style),
    ...section("Examples", exampleLines(entry.examples, style), style),
  ];
}

function programHelp(style: Style): string[] {
  const commands = visible().map(({ name, summary }): Pair => [name, summary]);
  return [
    `${style.heading("Usage:")} nsrun COMMAND …`,
    "       nsrun [OPTION OF run…] [-- COMMAND [ARG…]]",
    "",
    ...wrap(ABOUT, style.width),
    ...section("Commands", table(commands, style), style),
    ...optionSections(PROGRAM_OPTIONS, style),
    ...section("Examples", exampleLines(EXAMPLES, style), style),
    ...section("Exit code", table(EXIT_CODES, style), style),
  ];
}

/** The help of a command, or of the program. */
export function helpText(entry: Entry | undefined, style: Style): string {
  const fitted = { ...style, width: Math.min(style.width, WIDEST) };
  return `${(entry ? commandHelp(entry, fitted) : programHelp(fitted)).join("\n")}\n`;
}

const plain = (text: string): string => text;

async function printHelp(entry: Entry | undefined): Promise<number> {
  const { width, colour } = screen();
  const pc = colour ? await colours(true) : undefined;
  await print(helpText(entry, { width, heading: pc?.bold ?? plain, term: pc?.cyan ?? plain }));
  return 0;
}

const isHelp = (word: string | undefined): boolean => word === "--help" || word === "-h";

/** The one command that begins with a word which alone is none: `seccomp`. */
function onlyOf(words: readonly string[]): ReturnType<typeof findCommand> {
  const [entry, ...more] = visible().filter(({ name }) => name.startsWith(`${words[0]} `));
  return entry && more.length === 0 ? { entry, length: 1 } : undefined;
}

/** `nsrun help [COMMAND]` */
export async function help(given: readonly string[]): Promise<number> {
  const words = given.filter((word) => !isHelp(word));
  if (words.length === 0) return printHelp(undefined);
  const found = findCommand(words) ?? onlyOf(words);
  if (!found || found.entry.hidden || found.length !== words.length) {
    throw (await import("./other.ts")).unknownCommand(words.join(" "));
  }
  return printHelp(found.entry);
}

/** Whether a --help among `argv` is nsrun's rather than the container's; if so it is answered, and the exit code given. */
export async function askedForHelp(argv: readonly string[]): Promise<number | undefined> {
  const bare = argv[0]?.startsWith("-");
  const found = bare ? { entry: undefined, length: 0 } : findCommand(argv);
  const only = found ? undefined : onlyOf(argv);
  if (only && isHelp(argv[1])) return printHelp(only.entry);
  if (!found || found.entry?.hidden) return undefined;
  const words = argv.slice(found.length);
  if (isHelp(words[0])) return printHelp(found.entry);
  if (bare || found.entry?.name === "run") {
    const { parseRun } = await import("./parse.ts");
    return parseRun(words).help ? printHelp(found.entry) : undefined;
  }
  const end = words.indexOf("--");
  return words.slice(0, end < 0 ? undefined : end).some(isHelp) ? printHelp(found.entry) : undefined;
}
