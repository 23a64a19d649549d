/** The commands that are not `run`, through commander. */
import { release } from "node:os";
import { CommanderError } from "commander";
import pkg from "../../package.json" with { type: "json" };
import { UsageError } from "../errors.ts";
import { cacheCommand } from "./cache.ts";
import { program } from "./help.ts";
import { didYouMean } from "./parse.ts";
import { unpackCommand } from "./unpack.ts";

/** Runs what argv says; throws UsageError for what commander does not know. */
export async function otherCommand(argv: readonly string[]): Promise<number> {
  const top = program().version(`nsrun ${pkg.version} (bun ${Bun.version}, linux ${release()})`);
  unpackCommand(top);
  cacheCommand(top);
  for (const command of [top, ...top.commands, ...top.commands.flatMap((one) => one.commands)])
    command.exitOverride().configureOutput({ writeErr: () => {} });
  top.helpCommand("help [command]", "help for a command");
  const names = top.commands.map((command) => command.name());
  const asked = argv[0] === "help" ? argv[1] : undefined;
  if (asked !== undefined && !names.includes(asked)) {
    const meant = didYouMean(asked, names);
    throw new UsageError(`no such command: ${asked}`, meant ? { hint: `did you mean ${meant}?` } : {});
  }
  try {
    await top.parseAsync(argv, { from: "user" });
    return 0;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return 0;
    if (error.code === "commander.help") {
      process.stdout.write((top.commands.find((command) => command.name() === argv[0]) ?? top).helpInformation());
      return 0;
    }
    throw misused(error, argv, names);
  }
}

/** commander's words as one line of ours, its suggestion as the hint. */
function misused({ message, code }: CommanderError, argv: readonly string[], names: readonly string[]): UsageError {
  const word = argv[0] ?? "";
  const own = names.includes(word);
  const meant = own ? /\(Did you mean (.*)\?\)/.exec(message)?.[1] : didYouMean(word, names);
  const text = message.replace(/^error: |\s*\(Did you mean.*$/gs, "");
  if (meant) return new UsageError(text, { hint: `did you mean ${meant}?` });
  if (own) return new UsageError(text, { hint: `see: nsrun ${word} --help` });
  return new UsageError(
    text,
    code === "commander.unknownCommand" ? { hint: `to run a program: nsrun run -- ${argv.join(" ")}` } : {},
  );
}
