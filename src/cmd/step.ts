/** `nsrun run … --step`: stops before each step; the keyboard says how it goes on. */
import { readlinkSync } from "node:fs";
import type { Supervised } from "../container/container.ts";
import type { Observer } from "../container/observer.ts";
import type { Slots } from "../container/slots.ts";
import { NsrunError, UsageError } from "../errors.ts";
import { AT_FDCWD, O } from "../ffi/flags.ts";
import { bytes, sys } from "../ffi/syscall.ts";
import { callText } from "../plan/call.ts";
import { manPage, reason } from "../plan/manual.ts";
import { NAMESPACES, type Namespace } from "../plan/spec.ts";
import type { Plan, Step } from "../plan/step.ts";
import { RECORD_ASKS, stepped } from "../plan/stepped.ts";
import { type Paint, wrap } from "../plan/text.ts";
import { type TimelineStep, timeline } from "../plan/timeline.ts";

const POLLIN = 1;
const RECORD_PID = 1;

/** A line from the terminal; undefined: its end, or a signal. Waits in ppoll(2), which no signal handler restarts. */
function readLine(tty: number): string | undefined {
  const fds = bytes(8);
  const view = new DataView(fds.buffer);
  view.setInt32(0, tty, true);
  view.setInt16(4, POLLIN, true);
  if (sys("ppoll", fds, 1, null, null, 8) < 0) return undefined;
  const line = bytes(256);
  const length = sys("read", tty, line, line.length);
  return length <= 0 ? undefined : Buffer.from(line.subarray(0, length)).toString().trim();
}

/** asm-generic/ioctls.h */
const [TCGETS, TCSETS, TIOCGPGRP, TIOCSPGRP] = [0x5401, 0x5402, 0x540f, 0x5410];
const [SIG_SETMASK, SIGTTOU] = [2, 22];

/**
 * Gives back what a shell in another pid namespace cannot: the foreground of the terminal, since our process group has no
 * number there. From the background that is asked for with SIGTTOU blocked (tcsetpgrp(3)). And the modes, should it be killed.
 */
function keepTerminal(tty: number): () => void {
  const [modes, group, all, mask] = [bytes(64), bytes(8), bytes(8), bytes(8)];
  sys("ioctl", tty, TCGETS, modes);
  sys("ioctl", tty, TIOCGPGRP, group);
  all[(SIGTTOU - 1) >> 3] = 1 << ((SIGTTOU - 1) & 7);
  return () => {
    sys("rt_sigprocmask", SIG_SETMASK, all, mask, 8);
    sys("ioctl", tty, TIOCSPGRP, group);
    sys("ioctl", tty, TCSETS, modes);
    sys("rt_sigprocmask", SIG_SETMASK, mask, null, 8);
  };
}

const say = (text: string): void => void process.stderr.write(text);

/** nsenter's options for the namespaces in which the process is and we are not; undefined: we may not know. */
function differing(pid: number): string[] | undefined {
  try {
    const of = (process: string, ns: Namespace) => readlinkSync(`/proc/${process}/ns/${ns}`);
    const others = NAMESPACES.filter((ns) => of("self", ns) !== of(String(pid), ns));
    return others.map((ns) => `--${ns === "mnt" ? "mount" : ns}`);
  } catch {
    return undefined;
  }
}

export class Stepper implements Observer {
  readonly #tty = sys("openat", AT_FDCWD, "/dev/tty", O.O_RDWR | O.O_CLOEXEC, 0);
  #all: TimelineStep[] = [];
  #plan: Plan | undefined;
  /** Where the children's answers are written; ours alone, since the slots close when the container is there. */
  #pipe = -1;
  /** Said once: whoever asks afterwards gets the same answer. */
  #stopped: NsrunError | undefined;
  /** The container, once it has a pid; what asked before it had one. */
  #pid = 0;
  #early: (() => void) | undefined;

  constructor(
    readonly paint: Paint,
    readonly columns: number,
  ) {
    if (this.#tty < 0) throw new UsageError("--step needs a terminal, to ask at each step");
  }

  plan(plan: Plan): Plan {
    this.#plan = plan;
    this.#all = timeline(plan);
    return stepped(plan);
  }

  before(step: Step): void {
    if ("observing" in step && step.observing) return;
    this.#ask(step);
  }

  started(slots: Slots | undefined): void {
    if (!slots) {
      this.#ask(this.#all.find((step) => "fixed" in step)!);
      return;
    }
    this.#pipe = slots.get("step.answer");
    slots.disown(this.#pipe);
  }

  record(kind: number, a: number, _b: number, process: Supervised): boolean {
    if (kind === RECORD_PID) {
      this.#pid = a;
      const early = this.#early;
      this.#early = undefined;
      if (early) setTimeout(early, 0); // when the parent has done what it does for a container that is there
    }
    if (kind !== RECORD_ASKS) return false;
    const step = this.#plan!.child[a]!;
    const answer = () => this.#answer(step, process);
    if (step.lane !== "stage" && this.#pid === 0) this.#early = answer;
    else answer();
    return true;
  }

  #answer(step: Step, process: Supervised): void {
    try {
      this.#ask(step);
      sys("write", this.#pipe, bytes(1), 1);
    } catch (error) {
      process.abort(error as NsrunError);
      this.#hangUp();
    }
  }

  /** Whoever waits reads the end, and ends. */
  #hangUp(): void {
    if (this.#pipe >= 0) sys("close", this.#pipe);
    this.#pipe = -1;
  }

  /** Returns when it may go on. Throws NsrunError when not. */
  #ask(step: TimelineStep): void {
    if (this.#stopped) throw this.#stopped;
    const number = this.#all.indexOf(step) + 1;
    const place = `step ${number} of ${this.#all.length}`;
    const { paint } = this;
    const why = reason(step);
    const text = [callText(step), `${step.label}${why === undefined ? "" : `: ${why}`} (${manPage(step)})`];
    const lines = text.flatMap((part) => wrap(part, this.columns - 2)).map((line) => `  ${line}`);
    say(`${place}, ${paint.lane(step.lane, step.lane)}\n${lines.join("\n")}\n`);
    for (;;) {
      say(paint.dim("  Enter goes on, s opens a shell, q undoes everything > "));
      const line = readLine(this.#tty);
      if (line === "") return;
      if (line === "s") this.#shell();
      else if (line === undefined || line === "q") {
        this.#stopped = new NsrunError(`stopped before ${place}: ${step.label}`);
        throw this.#stopped;
      }
    }
  }

  /** nsenter(1) with all namespaces that are not ours (to enter one's own again may take more rights than one has), the root and the working directory of the process that waits. */
  #shell(): void {
    if (this.#pid === 0) {
      say("  there is no container yet: all so far is descriptors of ours\n");
      return;
    }
    if (!Bun.which("nsenter")) {
      say("  nsenter is not installed (Debian's package util-linux)\n");
      return;
    }
    const options = differing(this.#pid);
    if (!options) {
      say("  from here on the kernel lets nobody but root look into it\n"); // PR_SET_DUMPABLE
      return;
    }
    const back = keepTerminal(this.#tty);
    const stdio = [this.#tty, this.#tty, this.#tty] as const;
    const enter = ["nsenter", "--target", String(this.#pid), ...options, "--root", "--wd", "/bin/sh"];
    // how it ended is the user's: a shell that has no number for the terminal's former group says so, and ends with 2
    Bun.spawnSync(enter, { stdio: [...stdio], env: { ...process.env, PS1: "half-made # " } });
    back();
  }

  /** When all is over. */
  close(): void {
    this.#hangUp();
    sys("close", this.#tty);
  }
}
