/** run() and start(): a command in a container of its own; and plan(), which makes nothing. */
import { NsrunError, UsageError } from "../errors.ts";
import { SIGNALS } from "../ffi/flags.ts";
import { sys } from "../ffi/syscall.ts";
import { buildPlan } from "../plan/build.ts";
import type { Plan } from "../plan/step.ts";
import { cachePath } from "../rootfs/cache-dir.ts";
import { CONTAINER, checkCommand, checkOptions, RUN } from "./checked.ts";
import { type Ended, Supervised, type Timings } from "./container.ts";
import { explainExec } from "./explain.ts";
import { explained } from "./explained.ts";
import type { Observer } from "./observer.ts";
import type { ContainerOptions, RunOptions } from "./options.ts";
import { chosenRecipe, tryRecipes } from "./recipe.ts";
import { Slots } from "./slots.ts";
import { openLower } from "./source.ts";
import { type Complete, completeSpec } from "./spec.ts";
import { Streams } from "./stdio.ts";
import { Terminal } from "./terminal.ts";

/** What a command left: its exit code (128+n when signal n killed it), the signal's name or null, and its output. */
export interface RunResult extends Ended {
  readonly stdout: string;
  readonly stderr: string;
  /** Milliseconds since the start was asked for. */
  readonly timings: Readonly<Timings>;
}

/** A started command: signals go in, the result comes out. */
export interface Running {
  /** As the host sees it; 0 until it exists. */
  readonly pid: number;
  /** Rejects with the NsrunError of a start that failed. */
  readonly result: Promise<RunResult>;
  /** After it nothing of the container is left. */
  readonly closed: Promise<void>;
  /** By name ("SIGTERM", "TERM") or number. */
  kill(signal?: string | number): void;
  /** The caller's, when the container has one of its own: for SIGWINCH, SIGTSTP and SIGCONT. */
  readonly terminal: Pick<Terminal, "enter" | "leave" | "nudge" | "discard"> | undefined;
}

/** "SIGTERM", "TERM" or 15. */
export function signalNumber(signal: string | number): number {
  if (typeof signal === "number") {
    if (Number.isInteger(signal) && signal >= 1 && signal <= 64) return signal;
    throw new UsageError(`unknown signal: ${signal}`);
  }
  if (typeof signal !== "string") throw new UsageError(`unknown signal: ${typeof signal}`);
  const name = signal.replace(/^SIG/, "");
  const number = Object.hasOwn(SIGNALS, name) ? SIGNALS[name as keyof typeof SIGNALS] : undefined;
  if (number === undefined) throw new UsageError(`unknown signal: ${signal}`);
  return number;
}

export function stdioSlots(slots: Slots, streams: Streams): void {
  for (let fd = 0; fd < streams.child.length; fd++) {
    const use = streams.child[fd];
    if (typeof use === "number") slots.set(`stdio.${fd}`, use);
  }
}

export async function resultOf(process: Supervised, streams: Streams): Promise<RunResult> {
  const ended = await process.ended;
  return { ...ended, ...(await streams.output()), timings: process.timings };
}

/** Starts `plan` for `spec`; the streams' far ends are closed here. */
export async function launch(
  { spec, release, driver, programs }: Complete,
  streams: Streams,
  explainRoot: number,
  terminal?: Terminal,
  observer?: Observer,
): Promise<Supervised> {
  const done = () => {
    terminal?.[Symbol.dispose]();
    if (explainRoot >= 0) sys("close", explainRoot);
    const lower = spec.root?.lower;
    if (typeof lower === "object" && !lower.shared) sys("close", lower.fd);
    release();
  };
  try {
    const process = tryRecipes(spec, (made) => {
      const plan = observer ? observer.plan(made) : made;
      const slots = new Slots(driver, programs, observer);
      stdioSlots(slots, streams);
      terminal?.fill(slots);
      if (typeof spec.root?.lower === "object") slots.set("lower", spec.root.lower.fd);
      const explain = (path: string, errno: number) => {
        const lower = spec.root?.lower ?? "/";
        const named = typeof lower === "string" && !lower.startsWith(`${cachePath()}/`);
        return explainExec(
          { root: explainRoot, named, mounts: spec.mounts, landlock: spec.process.landlock !== undefined },
          path,
          errno,
        );
      };
      terminal?.enter();
      return new Supervised({ plan, slots, title: spec.name, explainExec: explain, cleanup: [done] }).start();
    });
    streams.started();
    return process;
  } catch (error) {
    streams.close();
    done();
    throw await explained(error);
  }
}

export async function complete(
  args: readonly string[],
  options: ContainerOptions,
  streams: Streams,
  terminal?: Terminal,
): Promise<Complete> {
  try {
    return await completeSpec(args, options, terminal?.uses ?? streams.child, terminal?.spec);
  } catch (error) {
    terminal?.[Symbol.dispose]();
    streams.close();
    throw error;
  }
}

function openTerminal(mode: RunOptions["tty"], streams: Streams): Terminal | undefined {
  try {
    return Terminal.open(mode, streams.child);
  } catch (error) {
    streams.close();
    throw error;
  }
}

export function endOnAbort(process: Supervised, signal: AbortSignal | undefined, terminal?: Terminal): void {
  const end = () => {
    process.kill(SIGNALS.KILL);
    terminal?.discard();
  };
  if (signal?.aborted) end();
  signal?.addEventListener("abort", end, { once: true });
}

/** As {@link run}, but gives the running command rather than waiting for it. */
export async function start(command: readonly string[], options: RunOptions = {}): Promise<Running> {
  checkCommand(command);
  checkOptions(options, CONTAINER, RUN);
  if (command.length === 0) throw new NsrunError("no command given");
  const streams = new Streams([options.stdin ?? "ignore", options.stdout ?? "pipe", options.stderr ?? "pipe"], options.input);
  const terminal = openTerminal(options.tty, streams);
  const completed = await complete(command, options, streams, terminal);
  const lower = openLower(completed.spec.root?.lower ?? "/");
  const process = await launch(completed, streams, lower, terminal, options.observer);
  const kill = (signal: string | number = "SIGTERM") => process.kill(signalNumber(signal));
  endOnAbort(process, options.signal, terminal);
  return {
    get pid() {
      return process.pid;
    },
    result: resultOf(process, streams),
    closed: process.closed,
    kill,
    terminal,
  };
}

/**
 * Runs a command in a new container and waits for its end. Like `unshare -fpmuin --mount-proc chroot ROOT COMMAND`.
 * @throws NsrunError and its kinds, when the container cannot be made or the command not be executed; the reason of `signal`, when
 * that fires while the root is being made
 */
export async function run(command: readonly string[] | string, options: RunOptions = {}): Promise<RunResult> {
  const running = await start(typeof command === "string" ? ["/bin/sh", "-c", command] : command, options);
  try {
    return await running.result;
  } finally {
    await running.closed;
  }
}

/** The plan of a container, without making anything (a tarball is unpacked into the cache all the same). */
export async function plan(command: readonly string[], options: ContainerOptions = {}): Promise<Plan> {
  checkCommand(command);
  checkOptions(options, CONTAINER, RUN);
  const { spec, release } = await completeSpec(command, options, ["inherit", "inherit", "inherit"]);
  release();
  return buildPlan(spec, chosenRecipe(spec));
}
