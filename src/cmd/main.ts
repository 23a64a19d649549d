#!/usr/bin/env -S bun --config=/dev/null --no-env-file
/** The command line. The only folder that prints or exits; loads nothing but what the given command needs. */
import { errorLines, NsrunError } from "../errors.ts";

/** `run` (and no command word at all) is the hot path; everything else goes through the table of commands. */
async function dispatch(argv: readonly string[]): Promise<number> {
  const first = argv[0];
  if (argv.join("\0").includes("\uFFFD")) (await import("./bytes.ts")).refuseBytes();
  if (first === "-V" || first === "--version") return (await import("./version.ts")).version();
  if (argv.includes("--help") || argv.includes("-h")) {
    const code = await (await import("./help.ts")).askedForHelp(argv);
    if (code !== undefined) return code;
  }
  const bare = first === undefined || first.startsWith("-");
  if (bare || first === "run") return (await import("./run.ts")).runCommand(bare ? argv : argv.slice(1), bare);
  return (await import("./other.ts")).otherCommand(argv);
}

async function main(): Promise<number> {
  const argv = process.argv.slice(2);
  const json = argv[0] === "--errors=json" ? 1 : argv[0] === "--errors" && argv[1] === "json" ? 2 : 0; // docs/errors.md
  try {
    return await dispatch(argv.slice(json));
  } catch (error) {
    const report = await import("./report.ts").catch(() => undefined); // without descriptors nothing can be loaded
    const lines = report ? await report.report(error, json > 0) : errorLines(error, false);
    const { warn } = await import("./print.ts");
    await warn(lines);
    return error instanceof NsrunError ? error.exitCode : 125;
  }
}

process.exitCode = 125; // should the event loop run dry with the result still open
main().then((code) => process.exit(code)); // no top-level await: the compiled file's bytecode is CommonJS
