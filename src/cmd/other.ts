/** The commands that are not `run`, through commander. */
import { release } from "node:os";
import { type Command, CommanderError } from "commander";
import pkg from "../../package.json" with { type: "json" };
import { UsageError } from "../errors.ts";
import { didYouMean } from "../near.ts";
import { program } from "./help.ts";

function unpackCommand(top: Command): void {
  top
    .command("unpack")
    .summary("unpack a root file system archive safely")
    .description(
      "Unpacks TAR (.tar, .gz, .xz, .zst, .bz2) below DIR. No entry can land outside DIR; device nodes and owners only as root.",
    )
    .argument("<TAR>")
    .argument("<DIR>")
    .action(async (tar: string, dir: string) => {
      const { unpackFile } = await import("../rootfs/archive.ts");
      const report = await unpackFile(tar, dir);
      const left = Object.entries(report.skipped).filter(([, count]) => count > 0);
      const without = left.length > 0 ? `; left out: ${left.map(([what, count]) => `${count} ${what}`).join(", ")}` : "";
      process.stderr.write(`nsrun: ${report.entries} entries${without}\n`);
    });
}

/** Runs what argv says; throws UsageError for what commander does not know. */
export async function otherCommand(argv: readonly string[]): Promise<number> {
  const top = program().version(`nsrun ${pkg.version} (bun ${Bun.version}, linux ${release()})`);
  unpackCommand(top);
  (await import("./seccomp.ts")).seccompCommand(top);
  for (const command of [top, ...top.commands].flatMap((one) => [one, ...one.commands]))
    command.exitOverride().configureOutput({ writeErr: () => {} });
  top.helpCommand("help [command]", "help for a command");
  const namesOf = (command: Command) => command.commands.map((one) => one.name());
  const names = namesOf(top);
  const group = top.commands.find((command) => command.name() === argv[0] && command.commands.length > 0);
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
      process.stdout.write((group ?? top).helpInformation());
      return 0;
    }
    const word = argv[group ? 1 : 0] ?? "";
    const near = error.code === "commander.unknownCommand" ? didYouMean(word, namesOf(group ?? top)) : undefined;
    const otherwise = group ? `see: nsrun ${group.name()} --help` : `to run a program: nsrun run -- ${argv.join(" ")}`;
    const hint = near ? `did you mean ${near}?` : otherwise;
    throw new UsageError(
      error.message.replace(/^error: |\s\(Did you mean.*$/g, ""),
      error.code === "commander.unknownCommand" ? { hint } : {},
    );
  }
}
