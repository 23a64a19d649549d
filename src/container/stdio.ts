/** The command's three streams: inherited, discarded, collected, or somebody's descriptor. */
import { UsageError } from "../errors.ts";
import { AT_FDCWD, O } from "../ffi/flags.ts";
import { bytes, failed, must, sys } from "../ffi/syscall.ts";
import { utf8 } from "../ffi/text.ts";
import type { StdioUse } from "../plan/spec.ts";
import type { Stdio } from "./options.ts";

const F_DUPFD_CLOEXEC = 1030;

/** pipe2(2) with both ends close-on-exec: read, write. */
function pipe(): [number, number] {
  const pair = bytes(8);
  const result = sys("pipe2", pair, O.O_CLOEXEC);
  if (result < 0) throw failed(result, "make a pipe");
  const view = new DataView(pair.buffer);
  return [view.getInt32(0, true), view.getInt32(4, true)];
}

/** A file in memory, read from its beginning: no pipe that could fill up, nobody to write into it. */
function file(content: string | Uint8Array): number {
  const data = typeof content === "string" ? utf8(content) : content;
  const fd = must("make a file for the command's input", "memfd_create", "nsrun-input", 1 /* MFD_CLOEXEC */);
  const stable = bytes(data.length);
  stable.set(data);
  for (let at = 0; at < stable.length; ) {
    at += must("write the command's input", "write", fd, stable.subarray(at), stable.length - at);
  }
  must("rewind the command's input", "lseek", fd, 0, 0);
  return fd;
}

/** /dev/null; where the machine has none, an input that is empty. */
function nothing(fd: number): number {
  const opened = sys("openat", AT_FDCWD, "/dev/null", O.O_RDWR | O.O_CLOEXEC, 0);
  if (opened >= 0) return opened;
  if (fd > 0) throw failed(opened, "open /dev/null");
  return file("");
}

/** Reads a descriptor of ours to its end, in the event loop, and closes it. */
async function collect(fd: number): Promise<Uint8Array> {
  try {
    return await new Response(Bun.file(fd).stream()).bytes();
  } finally {
    sys("close", fd);
  }
}

export class Streams {
  /** For the plan: "inherit", or the number to put in place. */
  readonly child: StdioUse[] = [];
  readonly #theirs: number[] = [];
  readonly #reading: (number | undefined)[] = [];
  #collected: Promise<Uint8Array>[] = [];

  /** Throws NsrunError, and leaves nothing open then. */
  constructor(uses: readonly [Stdio, Stdio, Stdio], input?: string | Uint8Array) {
    try {
      if (input !== undefined) this.child.push(this.#keep(file(input)));
      for (let fd = this.child.length; fd < 3; fd++) this.child.push(this.#open(fd, uses[fd]!));
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Closed when the command has its copy. */
  #keep(fd: number): number {
    this.#theirs.push(fd);
    return fd;
  }

  #open(fd: number, use: Stdio): StdioUse {
    if (use === "inherit") return use;
    if (typeof use === "number") {
      if (!Number.isInteger(use) || use < 0) throw new UsageError(`not a descriptor: ${use}`);
      // the command's own streams are put in place one after the other: what is meant here must not be one of those places
      return use > 2 ? use : this.#keep(must(`duplicate descriptor ${use}`, "fcntl", use, F_DUPFD_CLOEXEC, 3));
    }
    if (fd === 0 && use === "pipe") throw new UsageError('stdin cannot be "pipe": give the text as input');
    if (use === "ignore") return this.#keep(nothing(fd));
    const [read, write] = pipe();
    this.#reading[fd] = read;
    return this.#keep(write);
  }

  /** The command has its copies: ours go, and collecting begins. */
  started(): void {
    for (const fd of this.#theirs.splice(0)) sys("close", fd);
    this.#collected = [1, 2].map((n) => {
      const fd = this.#reading[n];
      this.#reading[n] = undefined;
      return fd === undefined ? Promise.resolve(new Uint8Array(0)) : collect(fd);
    });
  }

  /** The start failed. */
  close(): void {
    for (const fd of this.#theirs.splice(0)) sys("close", fd);
    for (const fd of this.#reading.splice(0)) if (fd !== undefined) sys("close", fd);
  }

  /** What stdout and stderr gave, when both are at their end. */
  async output(): Promise<{ stdout: string; stderr: string }> {
    const [stdout, stderr] = await Promise.all(this.#collected);
    const text = (part: Uint8Array | undefined) =>
      part?.length ? new TextDecoder("utf-8", { ignoreBOM: true }).decode(part) : "";
    return { stdout: text(stdout), stderr: text(stderr) };
  }
}
