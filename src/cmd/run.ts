/** `nsrun run` and bare `nsrun`: parse, start, pass signals on, give back the exit code. */
import { start } from "../container/box.ts";
import { UsageError } from "../errors.ts";
import { type CommandOptions, parseRun } from "./parse.ts";
import { Signals, stopTimeout } from "./signals.ts";

/** The article's full container: its shell is pid 1, its network a pair of addresses. */
const BARE = { net: "veth", init: false } as const;

/** -t: all three streams; -i alone: none; neither: those that are terminals. */
function ttyMode({ tty, interactive }: CommandOptions): boolean | "auto" {
  if (tty) return true;
  return interactive ? false : "auto";
}

/** Returns the exit code. `bare`: started as `nsrun` without a command word. */
export async function runCommand(argv: readonly string[], bare: boolean): Promise<number> {
  const { options, command, help } = parseRun(argv);
  if (help) {
    const { printHelp } = await import("./help.ts");
    return printHelp(bare ? undefined : "run");
  }
  if (!bare && command.length === 0)
    throw new UsageError("no command given", { hint: "nsrun run [OPTIONS] [--] COMMAND; a shell: nsrun run sh" });
  const defaults = bare ? BARE : {};
  const { interactive: _, stopTimeout: timeout, ...rest } = options;
  const signals = new Signals(stopTimeout(timeout)); // before the container starts, so that none is lost in between
  const running = await start(command.length > 0 ? command : ["/bin/sh"], {
    ...defaults,
    ...rest,
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit",
    tty: ttyMode(options),
    say: (text) => void process.stderr.write(`nsrun: ${text}\n`),
  });
  signals.target(running);
  try {
    return (await running.result).code;
  } finally {
    await running.closed;
  }
}
