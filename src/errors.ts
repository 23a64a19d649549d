/** Every error nsrun throws and every line it prints about one is made here. */

/** What a failed start was doing when it failed: which lane, which step of how many. */
export interface StepPlace {
  readonly index: number;
  readonly total: number;
  readonly label: string;
  readonly lane: string;
}

/** A system call that failed, for the catalogue of causes (src/container/hints.ts) and for scripts. */
export interface FailedCall {
  /** Its name: `mount`. */
  readonly call: string;
  /** As in a plan: numbers, strings, null; memory and slots as objects. */
  readonly args: readonly unknown[];
  /** What it was for. */
  readonly label: string;
  /** Of a plan's step: who made it. */
  readonly lane?: string;
}

/** Base of all errors thrown by nsrun. `message` is one line, lower case; `hint` a second one where the errno misleads. */
export class NsrunError extends Error {
  override name = "NsrunError";
  /** The exit code that the command line gives: 125 nsrun failed, 126 not executable, 127 not found. */
  readonly exitCode: 125 | 126 | 127;
  /** Found after the throw where finding it takes time: src/container/explained.ts. */
  hint: string | undefined;
  constructor(message: string, options: { hint?: string | undefined; exitCode?: 125 | 126 | 127; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.hint = options.hint;
    this.exitCode = options.exitCode ?? 125;
  }
}

/** Something the caller wrote is wrong: an unknown option, a malformed address, a missing rootfs. */
export class UsageError extends NsrunError {
  override name = "UsageError";
}

/** A system call failed. `errno` is positive, `code` its name (`EPERM`). */
export class SyscallError extends NsrunError {
  override name = "SyscallError";
  readonly failed: FailedCall | undefined;
  constructor(
    doing: string,
    readonly errno: number,
    readonly code: string,
    text: string,
    options: { hint?: string | undefined; exitCode?: 125 | 126 | 127; failed?: FailedCall | undefined } = {},
  ) {
    super(`${doing}: ${code} (${text})`, options);
    this.failed = options.failed;
  }
}

/** A step of a plan failed; `place` says which one. Message: `step 7 of 19: mount proc on /proc: EPERM (…)`. */
export class StepError extends SyscallError {
  override name = "StepError";
  constructor(
    readonly place: StepPlace,
    errno: number,
    code: string,
    text: string,
    options: { hint?: string | undefined; exitCode?: 125 | 126 | 127; failed?: FailedCall | undefined } = {},
  ) {
    super(`step ${place.index} of ${place.total}: ${place.label}`, errno, code, text, options);
  }
}

/** The kernel refused an rtnetlink request; `extack` is its own explanation (NLMSGERR_ATTR_MSG), where it gave one. */
export class NetlinkError extends SyscallError {
  override name = "NetlinkError";
  constructor(
    doing: string,
    errno: number,
    code: string,
    text: string,
    readonly extack: string | undefined,
    options: { hint?: string | undefined } = {},
  ) {
    super(doing, errno, code, extack ? `${text}: ${extack}` : text, options);
  }
}

/** Names in a message may come from a hostile root: no control character of theirs reaches the caller's terminal. */
const printable = (text: string): string =>
  text.replaceAll("\n", " ").replace(/[\x00-\x1f\x7f-\x9f]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`);

/** The lines for a user: `nsrun: …`, then `hint: …` where there is one; a stack only with NSRUN_DEBUG=1. */
export function errorLines(error: unknown, debug: boolean): string[] {
  const known = error instanceof NsrunError;
  const text = error instanceof Error ? error.message : String(error);
  const lines = [`nsrun: ${known ? "" : "internal error: "}${printable(text)}`];
  if (known && error.hint) lines.push(`hint: ${printable(error.hint)}`);
  if (!known) lines.push("hint: this is a bug in nsrun; NSRUN_DEBUG=1 shows where");
  if (debug && error instanceof Error && error.stack) lines.push(error.stack);
  return lines;
}
