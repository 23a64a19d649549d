/** What signals to nsrun mean for the container: signal(7), and the job control of a shell around us. */
import { type Running, signalNumber } from "../container/box.ts";
import { UsageError } from "../errors.ts";

/** Passed on as they are. */
const FORWARDED = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGCONT"] as const;
/** Without a container yet, these end nsrun as they would have without a handler; what is half made is undone (src/rootfs/at-exit.ts). */
const ENDING: readonly string[] = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"];
/** Asked to end: after the timeout there is no asking. */
const STOPPING: readonly string[] = ["SIGTERM", "SIGHUP"];

const DEFAULT_TIMEOUT = 10;

/** Milliseconds of `--stop-timeout SECONDS`; 0 is at once. Throws UsageError. */
export const stopTimeout = (text: string | undefined): number => (text === undefined ? DEFAULT_TIMEOUT : seconds(text)) * 1000;

function seconds(text: string): number {
  if (!/^[0-9]+([.][0-9]+)?$/.test(text) || Number(text) > 1e6)
    throw new UsageError(`--stop-timeout ${text}: expected seconds, 0 to 1000000`);
  return Number(text);
}

export class Signals {
  #running: Running | undefined;
  #stopping = false;
  /** When the last SIGINT came: a second one within the timeout means it. */
  #interrupted = Number.NEGATIVE_INFINITY;

  constructor(readonly timeout: number) {
    for (const signal of FORWARDED) process.on(signal, () => this.#on(signal));
  }

  target(running: Running): void {
    const first = this.#running === undefined;
    this.#running = running;
    if (first && running.terminal) process.on("SIGTSTP", () => this.#suspend());
  }

  #on(signal: (typeof FORWARDED)[number]): void {
    const running = this.#running;
    if (!running) {
      if (ENDING.includes(signal)) process.exit(128 + signalNumber(signal));
      return;
    }
    const { terminal } = running;
    if (terminal && signal === "SIGCONT") terminal.enter(); // the shell has set its own modes meanwhile
    if (terminal && (signal === "SIGCONT" || signal === "SIGWINCH")) terminal.nudge();
    // a changed size reaches the container's foreground job from its own terminal
    if (!terminal || signal !== "SIGWINCH") running.kill(signal);
    if (signal === "SIGINT") this.#interrupt(running);
    if (STOPPING.includes(signal)) this.#stop(running);
  }

  #interrupt(running: Running): void {
    const now = performance.now();
    if (now - this.#interrupted < Math.max(this.timeout, 1000)) this.#end(running);
    this.#interrupted = now;
  }

  #stop(running: Running): void {
    if (this.#stopping) return;
    this.#stopping = true;
    setTimeout(() => this.#end(running), this.timeout).unref();
  }

  #end(running: Running): void {
    running.kill("SIGKILL");
    running.terminal?.discard();
  }

  /** kill -TSTP: the shell gets its terminal as it was, then we stop as asked. */
  #suspend(): void {
    this.#running?.terminal?.leave();
    process.kill(process.pid, "SIGSTOP");
  }
}
