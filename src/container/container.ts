/** A container's life in the supervisor: started, joined, signalled, ended, cleaned up. */
import type { Socket } from "bun";
import { NsrunError } from "../errors.ts";
import { errnoName, errnoText } from "../ffi/errno.ts";
import { SIGNALS } from "../ffi/flags.ts";
import { sys } from "../ffi/syscall.ts";
import type { Plan, SyscallStep } from "../plan/step.ts";
import { listen, RECORD } from "./channel.ts";
import { explained } from "./explained.ts";
import { execError, stepError } from "./failure.ts";
import type { Slots } from "./slots.ts";
import { prepare, reap, release, startStage } from "./start.ts";

/** How a command ended: its exit code, or the signal that killed it (then `code` is 128+n, as a shell says it). */
export interface Ended {
  readonly code: number;
  /** "SIGTERM", or null when the command exited by itself. */
  readonly signal: string | null;
}

const signalName = (signal: number): string => {
  const name = Object.entries(SIGNALS).find(([, number]) => number === signal)?.[0];
  return `SIG${name ?? signal}`;
};

/** A wait status (wait(2)) in words. */
export function endedBy(status: number): Ended {
  const signal = status & 0x7f;
  if (signal === 0) return { code: (status >> 8) & 0xff, signal: null };
  return { code: 128 + signal, signal: signalName(signal) };
}

/** Milliseconds since the start was asked for. */
export interface Timings {
  prepared: number;
  started: number;
  /** The container exists and its network and maps are made. */
  released: number;
  ended: number;
}

const EIO = 5;
const EPIPE = 32;

/** Milliseconds. A command that is over sooner finds its descriptors closed after its result is delivered. */
const CLOSE_AFTER = 50;

export interface ProcessOptions {
  readonly plan: Plan;
  readonly slots: Slots;
  /** Shown by ps as the argument of pid 1. */
  readonly title: string;
  /** Explains why an execve said what it said. */
  readonly explainExec?: (path: string, errno: number) => string | undefined;
  /** Undone when the process has ended, in reverse order; errors are collected. */
  readonly cleanup?: readonly (() => void)[];
}

/** A started plan: a container, or a command that joined one. */
export class Supervised {
  readonly timings: Timings = { prepared: 0, started: 0, released: 0, ended: 0 };
  /** The process's pid as we see it; 0 until it exists. */
  pid = 0;
  #pidfd = -1;
  #stage = 0;
  #socket = -1;
  #channel: Socket | undefined;
  #status: number | undefined;
  #watched: number | undefined;
  /** Of a child's step. */
  #failure: NsrunError | undefined;
  /** Of what the parent does before "go": often only the echo of a child's failure that is told later. */
  #parentFailure: NsrunError | undefined;
  /** The error is being told. */
  #failing = false;
  readonly #soft: { step: SyscallStep; errno: number }[] = [];
  readonly #began = Bun.nanoseconds(); // performance is an object that its first user makes
  readonly #ended = Promise.withResolvers<Ended>();
  #ready: PromiseWithResolvers<void> | undefined;
  readonly #closed = Promise.withResolvers<void>();
  readonly #pendingSignals: number[] = [];

  constructor(readonly options: ProcessOptions) {
    // nobody may be waiting for one of them
    this.#ended.promise.catch(() => {});
    this.#closed.promise.catch(() => {});
  }

  /** Our descriptor of the process; -1 when nothing is left of it. */
  get pidfd(): number {
    return this.#pidfd;
  }
  /** How it ended; rejects with the NsrunError of a start that failed. */
  get ended(): Promise<Ended> {
    return this.#ended.promise;
  }
  /** pid 1 waits for commands to join (a container without a command). To be asked for before that can be known. */
  get ready(): Promise<void> {
    this.#ready ??= Promise.withResolvers<void>();
    return this.#ready.promise;
  }
  /** Everything is reaped, closed and undone. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** Prepares and starts. Throws NsrunError when that fails; nothing is left then. */
  start(): this {
    const { plan, slots, title } = this.options;
    try {
      prepare(plan, slots);
      this.timings.prepared = this.#now();
      slots.observer?.started?.(undefined);
      const { stage, socket } = startStage(plan, slots, title);
      slots.observer?.started?.(slots);
      this.timings.started = this.#now();
      this.#stage = stage;
      this.#socket = socket;
    } catch (error) {
      slots.close(); // what the options say of cleaning up stays with the caller: nothing was started
      throw error;
    }
    listen(this.#socket, { record: (kind, a, b) => this.#record(kind, a, b), hangup: () => this.#hangup() }).then(
      (channel) => {
        this.#channel = channel;
      },
      (error) => {
        this.#failure ??= new NsrunError("cannot listen to the container", { cause: error });
        this.#hangup();
      },
    );
    return this;
  }

  /** Sends a signal to the process by pid; one that does not exist yet gets it when it does. */
  kill(signal: number): void {
    if (this.pid === 0) this.#pendingSignals.push(signal);
    else if (this.#pidfd >= 0) sys("pidfd_send_signal", this.#pidfd, signal, null, 0);
  }

  /** Ends it for a reason of ours. */
  abort(error: NsrunError): void {
    this.#failure ??= error;
    this.kill(SIGNALS.KILL);
  }

  #now = (): number => (Bun.nanoseconds() - this.#began) / 1e6;

  #record(kind: number, a: number, b: number): void {
    const { plan, slots } = this.options;
    if (slots.observer?.record?.(kind, a, b, this)) return;
    const step = plan.child[a];
    if (kind === RECORD.pid) this.#born(a);
    else if (kind === RECORD.failed && step) this.#failed(step, b);
    else if (kind === RECORD.soft && step) this.#soft.push({ step, errno: b });
    else if (kind === RECORD.ended) this.#status = a;
    else if (kind === RECORD.ready) this.#ready?.resolve();
    else if (kind === RECORD.watched) this.#finish(a, b);
  }

  #born(pid: number): void {
    const { plan, slots } = this.options;
    this.pid = pid;
    this.#pidfd = sys("pidfd_open", pid, 0); // no later signal can reach a stranger that got the number
    try {
      if (plan.waits) release(plan, slots, this.#socket, pid);
      this.timings.released = this.#now();
    } catch (error) {
      this.#parentFailure = error as NsrunError;
      sys("shutdown", this.#socket, 1 /* SHUT_WR */); // the container reads no go and ends; its records still come
    }
    for (const signal of this.#pendingSignals.splice(0)) this.kill(signal);
    // closing mounts takes the kernel's mount lock for an RCU grace period: not while the container mounts
    setTimeout(() => slots.close(), CLOSE_AFTER).unref();
  }

  #failed(step: SyscallStep, errno: number): void {
    if (this.#parentFailure && step.call === "read") return; // it waited for a go that we did not give
    this.#failure ??= this.#explain(step, errno);
  }

  #explain(step: SyscallStep, errno: number): NsrunError {
    const known = this.options.slots.network?.explain?.(step);
    if (known) return known;
    if (step.call !== "execve" || step.lane === "uplink" || errno === 0) return stepError(this.options.plan, step, errno);
    const attempts = [...this.#soft, { step, errno }].map((a) => ({ path: a.step.args[0] as string, errno: a.errno }));
    const argv = step.args[1] as { words: readonly unknown[] };
    const why = attempts.map((a) => this.options.explainExec?.(a.path, a.errno)).find((text) => text !== undefined);
    return execError(String(argv.words[0]), attempts, why);
  }

  /**
   * The container is dead to the last process. `watched` is its own wait status, `#status` the command's; `lost` the errno for
   * which output of its terminal could not be written. A reader that has gone, or whose terminal has, is no error of ours.
   */
  #finish(watched: number, lost: number): void {
    if (lost > 0 && lost !== EPIPE && lost !== EIO)
      this.#failure ??= new NsrunError(`cannot write the terminal's output: ${errnoName(lost)} (${errnoText(lost)})`);
    this.#watched = watched;
    this.timings.ended = this.#now();
    const failure = this.#failure ?? this.#parentFailure;
    if (failure) this.#fail(failure);
    else this.#ended.resolve(endedBy(this.#status ?? watched));
  }

  #fail(error: NsrunError): void {
    this.#failing = true;
    explained(error).then((told) => {
      this.#ready?.reject(told);
      this.#ended.reject(told);
    });
  }

  #hangup(): void {
    if (this.#watched === undefined) {
      // the stage died without a word: by a kill from outside, or by a failed step before it had a container
      this.kill(SIGNALS.KILL);
      this.#fail(
        this.#failure ?? new NsrunError("the container's watcher was killed", { hint: "the container was ended with it" }),
      );
    }
    if (!this.#failing) this.#ready?.reject(new NsrunError("the container ended before it was ready"));
    this.#channel?.end();
    if (this.#stage > 0) reap(this.#stage);
    this.#cleanUp();
  }

  #cleanUp(): void {
    this.options.slots.close();
    if (this.#pidfd >= 0) sys("close", this.#pidfd);
    this.#pidfd = -1;
    const errors: unknown[] = [];
    for (const undo of [...(this.options.cleanup ?? [])].reverse()) {
      try {
        undo();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) this.#closed.reject(errors[0]);
    else this.#closed.resolve();
  }
}
