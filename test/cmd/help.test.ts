/** The help, and the table of commands it is made of. */
import { describe, expect, test } from "bun:test";
import { EXAMPLES } from "../../src/cmd/about.ts";
import { COMMANDS, findCommand, visible } from "../../src/cmd/commands.ts";
import { type Entry, optionsOf, optionText } from "../../src/cmd/entry.ts";
import { helpText } from "../../src/cmd/help.ts";
import { VERSION } from "../../src/cmd/options.ts";
import { otherCommand, parseWords } from "../../src/cmd/other.ts";
import { parseRun } from "../../src/cmd/parse.ts";
import { UsageError } from "../../src/errors.ts";

const plain = (width: number) => ({ width, heading: (text: string) => text, term: (text: string) => text });
const run = findCommand(["run"])!.entry;

/** The words of an example, as a shell without variables would split them; undefined where it does more than start nsrun. */
const words = (line: string): string[] => line.replace(/ >.*$/, "").replaceAll(/["']/g, "").split(" ").filter(Boolean);

/** Throws where the parser refuses. */
async function parse(entry: Entry, given: readonly string[]): Promise<void> {
  if (entry.options?.length && entry.raw) parseRun(given);
  else if (!entry.raw) await parseWords(entry, given);
}

describe.each(visible().map((entry) => [entry.name, entry] as const))("the help of %s", (_, entry) => {
  const text = helpText(entry, plain(80));
  test("names every option once, and its help", () => {
    for (const option of optionsOf(entry)) {
      expect(text.split("\n").filter((line) => line.trim().split(/ {2}/)[0] === optionText(option))).toHaveLength(1);
      expect(text.replace(/\s+/g, " ")).toContain(option.help);
    }
  });
  test("has examples, which the parser takes", async () => {
    expect(text).toContain("\nExamples:\n");
    for (const [line] of entry.examples) {
      const found = findCommand(words(line));
      expect(found?.entry).toBe(entry);
      await parse(entry, words(line).slice(found!.length));
    }
  });
});

test("the program's help lists what is not hidden, and its examples are taken", async () => {
  const text = helpText(undefined, plain(80));
  for (const { name, summary, hidden } of COMMANDS) expect(text.includes(`  ${name} `) && text.includes(summary)).toBe(!hidden);
  expect(text).toContain(optionText(VERSION));
  for (const [line] of EXAMPLES) {
    const given = words(line);
    const found = findCommand(given);
    await parse(found?.entry ?? run, given.slice(found?.length ?? 0));
  }
});

test.each([48, 60, 80, 100])("nothing that can be broken is wider than %d columns", (width) => {
  for (const entry of [undefined, ...visible()]) {
    const lines = helpText(entry, plain(width)).split("\n");
    const broken = lines.filter((line) => line.length > width && line.trim().includes(" "));
    // a term stands on its own line and is never broken, for it may be copied
    const terms = entry ? [...optionsOf(entry).map(optionText), ...entry.examples.map(([line]) => `nsrun ${line}`)] : [];
    const programs = ["nsrun [OPTION OF run…] [-- COMMAND [ARG…]]", ...EXAMPLES.map(([line]) => `nsrun ${line}`)];
    expect(broken.filter((line) => ![...terms, ...programs].includes(line.trim()))).toEqual([]);
    expect(Math.max(...lines.map((line) => line.length))).toBeGreaterThan(Math.min(width, 60) - 12);
  }
});

test("no line is wider than what can be read, on the widest terminal", () => {
  const lines = helpText(run, plain(500)).split("\n");
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(120);
});

test.each([
  [["unpak"], "no such command: unpak", "did you mean unpack?"],
  [["ps", "aux"], "no such command: ps", "to run a program: nsrun run -- ps aux"],
  [["help", "rn"], "no such command: rn", "did you mean run?"],
  [["help", "__complete"], "no such command: __complete", "see: nsrun help"],
  [["help", "run", "x"], "no such command: run x", "see: nsrun help"],
  [["unpack", "a"], "missing required argument DIR", "usage: nsrun unpack [OPTION…] TAR DIR"],
  [["unpack", "--hep", "a", "b"], "unknown option --hep", "did you mean --help?"],
  [["completion", "tcsh"], "completion tcsh: unknown shell (known: bash zsh fish)", undefined],
])("%p is refused: %s", async (argv, message, hint) => {
  const error = (await otherCommand(argv).catch((caught: unknown) => caught)) as UsageError;
  expect(error).toBeInstanceOf(UsageError);
  expect({ message: error.message, hint: error.hint }).toEqual({ message, hint });
});
