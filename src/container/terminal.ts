/** The caller's terminal while a container has one of its own: found, put into raw mode, resized, given back. */
import { UsageError } from "../errors.ts";
import { AT_FDCWD, O } from "../ffi/flags.ts";
import { bytes, must, sys } from "../ffi/syscall.ts";
import type { StdioUse, TerminalSpec } from "../plan/spec.ts";
import { socketPair } from "./channel.ts";
import type { Slots } from "./slots.ts";

/** asm-generic/ioctls.h */
const TCGETS = 0x5401;
const TCSETSW = 0x5403;
const TIOCGWINSZ = 0x5413;
/** watch.c */
const DISCARD = 1;
/** struct termios of the kernel: c_iflag, c_oflag, c_cflag, c_lflag, c_line, c_cc[19]. */
const TERMIOS = 36;

/** isatty(3), with what it asks. */
function termios(fd: number): Uint8Array<ArrayBuffer> | undefined {
  const modes = bytes(64);
  return sys("ioctl", fd, TCGETS, modes) === 0 ? modes.slice(0, TERMIOS) : undefined;
}

/**
 * cfmakeraw(3): nothing is edited, echoed, translated or made a signal here; the container's terminal does all that.
 * `shared`: others of the pipeline write to it as well (`nsrun run … | less`), and their line ends need OPOST.
 */
function raw(saved: Uint8Array<ArrayBuffer>, shared: boolean): Uint8Array<ArrayBuffer> {
  const modes = saved.slice();
  const flags = new Uint32Array(modes.buffer, 0, 4);
  flags[0]! &= ~0o2753; // IGNBRK BRKINT PARMRK ISTRIP INLCR IGNCR ICRNL IXON
  if (!shared) flags[1]! &= ~0o1; // OPOST
  flags[2] = (flags[2]! & ~0o460) | 0o60; // CSIZE PARENB, CS8
  flags[3]! &= ~0o100113; // ECHO ECHONL ICANON ISIG IEXTEN
  modes[17 + 6] = 1; // VMIN
  modes[17 + 5] = 0; // VTIME
  return modes;
}

/** A descriptor for the stage: of a terminal a new open file that may be non-blocking without the caller's becoming so. */
function forStage(fd: number, isTerminal: boolean): number {
  const reopened = isTerminal
    ? sys("openat", AT_FDCWD, `/proc/self/fd/${fd}`, O.O_RDWR | O.O_NOCTTY | O.O_NONBLOCK | O.O_CLOEXEC, 0)
    : -1;
  if (reopened > 2) return reopened;
  return must("keep a stream for the terminal", "fcntl", fd, 1030 /* F_DUPFD_CLOEXEC */, 3);
}

/** `auto`: for those of the three streams that are terminals. `true`: for all three, terminals or not. */
export type TerminalMode = "auto" | boolean;

export class Terminal implements Disposable {
  readonly spec: TerminalSpec;
  readonly #in: number;
  readonly #out: number;
  readonly #pair: { ours: number; theirs: number };
  #raw = false;
  #closed = false;

  private constructor(
    readonly uses: readonly StdioUse[],
    modes: readonly (Uint8Array<ArrayBuffer> | undefined)[],
  ) {
    const carried = [0, 1, 2].filter((fd) => uses[fd] === "terminal");
    const input = carried.includes(0);
    // where the container's output goes: a terminal that was opened for input can nearly always be written as well
    const out = [1, 2, 0].find((fd) => carried.includes(fd))!;
    const saved = input ? modes[0] : undefined;
    const size = bytes(8);
    new Uint16Array(size.buffer).set([24, 80]);
    [out, 0, 1, 2].some((fd) => sys("ioctl", fd, TIOCGWINSZ, size) === 0);
    const termios = saved && carried.includes(1) ? saved : outputModes(modes[out]);
    this.spec = { termios, size, input, caller: saved && { raw: raw(saved, !modes[1]), saved } };
    this.#pair = socketPair();
    this.#in = forStage(input ? 0 : out, modes[input ? 0 : out] !== undefined);
    this.#out = forStage(out, modes[out] !== undefined);
  }

  /** undefined: the streams stay what they are. */
  static open(mode: TerminalMode | undefined, uses: readonly StdioUse[]): Terminal | undefined {
    if (mode === undefined || mode === false) return undefined;
    const modes = uses.map((use, fd) => (use === "inherit" ? termios(fd) : undefined));
    const carried = uses.map((use, fd): StdioUse => (use === "inherit" && (mode === true || modes[fd]) ? "terminal" : use));
    if (!carried.includes("terminal")) {
      if (mode === true) throw new UsageError('a terminal needs a stream that is "inherit"');
      return undefined;
    }
    return new Terminal(carried, modes);
  }

  fill(slots: Slots): void {
    slots.set("tty.in", this.#in);
    slots.set("tty.out", this.#out);
    slots.set("tty.link", this.#pair.theirs);
    slots.set("tty.send", this.#pair.ours);
  }

  /** Into raw mode. In the background the kernel stops nsrun here (SIGTTOU), as every program that wants the terminal. */
  enter(): void {
    const { caller } = this.spec;
    if (!caller) return;
    sys("ioctl", 0, TCSETSW, caller.raw as Uint8Array<ArrayBuffer>);
    this.#raw = true;
  }

  /** The window has another size, or nsrun is in the foreground again: the stage looks. */
  nudge(): void {
    this.#tell(0);
  }

  /** All is to end now: the stage does not wait until a terminal that nobody reads has taken the last output. */
  discard(): void {
    this.#tell(DISCARD);
  }

  #tell(what: number): void {
    if (this.#closed) return; // the number may be somebody else's by now
    sys("sendto", this.#pair.ours, bytes(1).fill(what), 1, 0x4040 /* MSG_NOSIGNAL|MSG_DONTWAIT */, null, 0);
  }

  /** The modes from before {@link enter}, unless somebody else has set others meanwhile. */
  leave(): void {
    const { caller } = this.spec;
    if (!caller || !this.#raw) return;
    this.#raw = false;
    const now = termios(0);
    if (now?.every((byte, i) => byte === caller.raw[i])) sys("ioctl", 0, TCSETSW, caller.saved as Uint8Array<ArrayBuffer>);
  }

  [Symbol.dispose](): void {
    this.leave();
    this.#closed = true;
    for (const fd of [this.#in, this.#out, this.#pair.ours, this.#pair.theirs]) sys("close", fd);
  }
}

/** The caller's terminal keeps its OPOST, which makes the line ends: not two of them. */
function outputModes(modes: Uint8Array<ArrayBuffer> | undefined): Uint8Array<ArrayBuffer> | undefined {
  if (!modes) return undefined;
  const own = modes.slice();
  new Uint32Array(own.buffer, 0, 4)[1]! &= ~0o1;
  return own;
}
