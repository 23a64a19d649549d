/** `bun scripts/man.ts >nsrun.1`: the man page in man(7)'s macros, from the tables of the help. `bun run build` makes dist/nsrun.1. */
import pkg from "../package.json" with { type: "json" };
import { ABOUT, ENVIRONMENT, EXAMPLES, EXIT_CODES } from "../src/cmd/about.ts";
import { visible } from "../src/cmd/commands.ts";
import { type Entry, type Example, optionsOf, optionText, usage } from "../src/cmd/entry.ts";
import { wrap } from "../src/cmd/help.ts";
import { HELP, type Option, PROGRAM_OPTIONS } from "../src/cmd/options.ts";

/** Text for roff: hyphens that can be typed, an ellipsis that every device has, no line that begins as a request. */
const escaped = (text: string): string =>
  text
    .replaceAll("…", "...")
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replace(/[^\n\x20-\x7e]/gu, (sign) => `\\[u${sign.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}]`)
    .replace(/^(?=[.'])/gm, "\\&");

/** A request with one argument. */
const request = (name: string, text: string): string =>
  `.${name} "${escaped(text).replaceAll('"', "\\(dq").replaceAll("'", "\\(aq")}"`;

/** Sentences begin lines, and lines are short: man-pages(7). */
const prose = (text: string): string =>
  escaped(
    text
      .split(/(?<=[a-z)]{2}[.]) (?=[A-Z])/)
      .flatMap((sentence) => wrap(sentence, 72))
      .join("\n"),
  );

const WORD = /(-{0,2}[A-Za-z][\w-]*)/;

/** What is to be typed in bold, what stands for something in italics. */
const marked = (text: string): string =>
  text
    .split(WORD)
    .map((part, i) => (i % 2 === 0 ? escaped(part) : `\\f${/^[A-Z]/.test(part) ? "I" : "B"}${escaped(part)}\\fR`))
    .join("");

const paragraph = (term: string, text: string): string[] => [".TP", term, prose(text)];

function options(list: readonly Option[]): string[] {
  const groups = [...new Set(list.map(({ group }) => group))];
  return groups.flatMap((group) => [
    ...(groups.length > 1 ? [".PP", `.I ${escaped(group)}`] : []),
    ...list.filter((option) => option.group === group).flatMap((option) => paragraph(marked(optionText(option)), option.help)),
  ]);
}

const examples = (list: readonly Example[]): string[] =>
  list.flatMap(([line, what]) => [".TP", request("B", `nsrun ${line}`.trim()), prose(what)]);

function command(entry: Entry): string[] {
  const operands = (entry.operands ?? []).flatMap(({ value, help }) => paragraph(marked(value), help));
  return [
    request("SS", entry.name),
    marked(usage(entry)),
    ".PP",
    prose(entry.about),
    ...operands,
    ...options(optionsOf(entry).filter((option) => option !== HELP)),
    ".PP",
    "Examples:",
    ...examples(entry.examples),
  ];
}

/** `date`: YYYY-MM-DD. */
export function manPage(version: string, date: string): string {
  const lines = [
    '.\\" made by scripts/man.ts',
    `.TH NSRUN 1 ${date} "nsrun ${version}" "User Commands"`,
    ".SH NAME",
    "nsrun \\- Linux containers from TypeScript",
    ".SH SYNOPSIS",
    ...visible().flatMap((entry) => [marked(usage(entry)), ".br"]),
    marked("nsrun [OPTION…] [[--] COMMAND [ARG…]]"),
    ".SH DESCRIPTION",
    prose(ABOUT),
    ".SH OPTIONS",
    ...options(PROGRAM_OPTIONS),
    ".SH COMMANDS",
    ...visible().flatMap(command),
    ".SH EXIT STATUS",
    ...EXIT_CODES.flatMap(([code, what]) => paragraph(request("B", code), what)),
    ".SH ENVIRONMENT",
    ...ENVIRONMENT.flatMap(([name, what]) => paragraph(request("B", name), what)),
    ".SH EXAMPLES",
    ...examples(EXAMPLES),
    ".SH SEE ALSO",
    ["bwrap(1)", "unshare(1)", "nsenter(1)", "ip(8)", "namespaces(7)", "user_namespaces(7)", "mount_namespaces(7)"]
      .map((page) => `.BR ${page.replace("(", " (")}`)
      .join(" ,\n"),
  ];
  return `${lines.join("\n")}\n`;
}

/** SOURCE_DATE_EPOCH makes builds repeatable: https://reproducible-builds.org/specs/source-date-epoch */
export function builtPage(env: Readonly<Record<string, string | undefined>> = process.env): string {
  const time = env.SOURCE_DATE_EPOCH === undefined ? Date.now() : Number(env.SOURCE_DATE_EPOCH) * 1000;
  return manPage(pkg.version, new Date(time).toISOString().slice(0, 10));
}

if (import.meta.main) await Bun.write(Bun.stdout, builtPage());
