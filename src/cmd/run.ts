/** `nsrun run` and bare `nsrun`: parse, start, pass signals on, give back the exit code. */
import { start } from "../container/box.ts";
import { findCaller } from "../container/caller.ts";
import type { RunOptions } from "../container/options.ts";
import { NsrunError, UsageError } from "../errors.ts";
import { type CommandOptions, parseRun } from "./parse.ts";
import { Signals, stopTimeout } from "./signals.ts";

// process.stderr would cost its first user 3 to 10 ms
const say = (text: string): void => console.error(`nsrun: ${text}`);

/**
 * The article's full container: its shell is pid 1, its network a pair of addresses, which an ordinary user cannot have. It
 * pings both ways, for which busybox's ping knows raw sockets only.
 */
function bareDefaults(options: CommandOptions): Pick<CommandOptions, "net" | "init" | "capAdd"> {
  if (options.namespaces === false) return { init: false };
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

const HOST = "--userns host";

/** Whether a start failed for what it would not have failed for without a user namespace; its hint says so. */
const wantsHost = (error: unknown): boolean => error instanceof NsrunError && error.hint?.includes(HOST) === true;

/** 128 + SIGKILL, of a shell's child too. */
const KILLED = 137;
/** Milliseconds: until then the container starts, and what is loaded and read here would be in its way. */
const SETTLED = 20;

/** Counts the kernel's kills for memory from the time on when the container has started. */
function watchMemory(): { tell(): Promise<void> } {
  let before: Promise<number | undefined> | undefined;
  setTimeout(() => {
    before = import("./oom.ts").then(({ oomKills }) => oomKills());
  }, SETTLED).unref();
  return {
    async tell() {
      const count = await before;
      const line = count === undefined ? undefined : (await import("./oom.ts")).oomLine(count);
      if (line !== undefined) say(line);
    },
  };
}

async function runOnce(command: readonly string[], options: RunOptions, signals: Signals): Promise<number> {
  const running = await start(command, options);
  signals.target(running);
  const memory = watchMemory();
  try {
    const { code } = await running.result;
    if (code === KILLED) await memory.tell();
    return code;
  } finally {
    await running.closed;
  }
}

/** Returns the exit code. `bare`: started as `nsrun` without a command word. */
export async function runCommand(argv: readonly string[], bare: boolean): Promise<number> {
  const { options, command, help: asked } = parseRun(argv);
  if (asked) {
    const { help } = await import("./help.ts");
    return help(bare ? [] : ["run"]);
  }
  if (!bare && command.length === 0)
    throw new UsageError("no command given", { hint: "nsrun run [OPTIONS] [--] COMMAND; a shell: nsrun run sh" });
  const defaults = bare ? bareDefaults(options) : {};
  const { interactive: _, stopTimeout: timeout, plan, verbose, timings, step, ...rest } = options;
  const signals = new Signals(stopTimeout(timeout)); // before the container starts, so that none is lost in between
  const streams = { stdin: "inherit", stdout: "inherit", stderr: "inherit" } as const;
  const whole: RunOptions = { ...defaults, ...rest, ...streams, tty: ttyMode(options), say };
  const words = command.length > 0 ? command : ["/bin/sh"];
  if (plan) return (await import("./plan.ts")).showPlan(words, whole, verbose && plan === "text" ? "verbose" : plan);
  if (timings || step) return (await import("./observed.ts")).runObserved(words, whole, signals, timings, step === true);
  if (!bare || options.userns !== undefined) return runOnce(words, whole, signals);
  try {
    return await runOnce(words, whole, signals);
  } catch (error) {
    // the article's container, which has none: `run` would be an error, this is said
    if (!wantsHost(error)) throw error;
    say(`no user namespace here, so root inside is root outside (${HOST}): ${(error as NsrunError).message}`);
    return runOnce(words, { ...whole, userns: "host", say: undefined }, signals); // all else was said at the first attempt
  }
}
