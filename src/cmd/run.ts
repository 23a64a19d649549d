/** `nsrun run` and bare `nsrun`: parse, start, pass signals on, give back the exit code. */
import { type Running, signalNumber, start } from "../container/box.ts";
import { UsageError } from "../errors.ts";
import { parseRun } from "./parse.ts";

/** signal(7): what a caller may send to nsrun and means for the command. */
const FORWARDED = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGCONT"] as const;

/** Without a container yet, these end nsrun as they would have without a handler. */
const ENDING: readonly string[] = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"];

/** From now on signals go to `target()`; handlers stand before the container starts, so that none is lost in between. */
function forwardSignals(target: () => Running | undefined): void {
  for (const signal of FORWARDED) {
    process.on(signal, () => {
      const running = target();
      if (running) running.kill(signal);
      else if (ENDING.includes(signal)) process.exit(128 + signalNumber(signal));
    });
  }
}

/** The article's full container: its shell is pid 1, its network a pair of addresses. */
const BARE = { net: "veth", init: false } as const;

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
  const say = (text: string) => process.stderr.write(`nsrun: ${text}\n`);
  const stdio = { stdin: "inherit", stdout: "inherit", stderr: "inherit" } as const;
  let running: Running | undefined;
  forwardSignals(() => running);
  running = await start(command.length > 0 ? command : ["/bin/sh"], { ...defaults, ...options, ...stdio, say });
  try {
    return (await running.result).code;
  } finally {
    await running.closed;
  }
}
