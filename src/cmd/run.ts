/** `nsrun run` and bare `nsrun`: parse, start, pass signals on, give back the exit code. */
import { start } from "../container/box.ts";
import { findCaller } from "../container/caller.ts";
import { UsageError } from "../errors.ts";
import { type CommandOptions, parseRun } from "./parse.ts";
import { Signals, stopTimeout } from "./signals.ts";

/**
 * The article's full container: its shell is pid 1, its network a pair of addresses, which an ordinary user cannot have. It
 * pings both ways, for which busybox's ping knows raw sockets only.
 */
function bareDefaults(options: CommandOptions, say: (text: string) => void): Pick<CommandOptions, "net" | "init" | "capAdd"> {
  const capAdd = options.capAdd || options.capDrop ? undefined : ["net_raw"];
  const wanted = options.net !== undefined || [options.ip, options.hostIp].some((ip) => ip !== undefined);
  if (wanted || findCaller().admin) return { net: "veth", init: false, capAdd };
  say("without root there is no veth pair: only the loopback (see --net)");
  return { init: false, capAdd };
}

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
  const say = (text: string) => void process.stderr.write(`nsrun: ${text}\n`);
  const defaults = bare ? bareDefaults(options, say) : {};
  const { interactive: _, stopTimeout: timeout, ...rest } = options;
  const signals = new Signals(stopTimeout(timeout)); // before the container starts, so that none is lost in between
  const running = await start(command.length > 0 ? command : ["/bin/sh"], {
    ...defaults,
    ...rest,
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit",
    tty: ttyMode(options),
    say,
  });
  signals.target(running);
  try {
    return (await running.result).code;
  } finally {
    await running.closed;
  }
}
