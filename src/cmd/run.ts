/** `nsrun run` and bare `nsrun`: parse, start, pass signals on, give back the exit code. */
import { start } from "../container/box.ts";
import { findCaller } from "../container/caller.ts";
import { UsageError } from "../errors.ts";
import { type CommandOptions, parseRun } from "./parse.ts";
import { Signals, stopTimeout } from "./signals.ts";

/** The article's full container: its shell is pid 1, its network a pair of addresses, which an ordinary user cannot have. */
function bareDefaults(options: CommandOptions, say: (text: string) => void): Pick<CommandOptions, "net" | "init"> {
  const wanted = options.net !== undefined || [options.ip, options.hostIp].some((ip) => ip !== undefined);
  if (wanted || findCaller().admin) return { net: "veth", init: false };
  say("without root there is no veth pair: only the loopback (see --net)");
  return { init: false };
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
  const { interactive: _, stopTimeout: timeout, plan, verbose, timings, step, ...rest } = options;
  const args = command.length > 0 ? command : ["/bin/sh"];
  const all = {
    ...defaults,
    ...rest,
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit",
    tty: ttyMode(options),
    say,
  } as const;
  if (plan) return (await import("./plan.ts")).showPlan(args, all, verbose && plan === "text" ? "verbose" : plan);
  const signals = new Signals(stopTimeout(timeout)); // before the container starts, so that none is lost in between
  if (timings || step) return (await import("./observed.ts")).runObserved(args, all, signals, timings, step === true);
  const running = await start(args, all);
  signals.target(running);
  try {
    return (await running.result).code;
  } finally {
    await running.closed;
  }
}
