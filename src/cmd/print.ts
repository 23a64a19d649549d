/** What the command line writes: results to stdout, everything else to stderr. No process.stdout: making one costs 6 ms. */
import { NsrunError } from "../errors.ts";
import { columns } from "../ffi/window.ts";

/** A reader that has gone, as `head` does when it has seen enough, is no error. */
const gone = (error: unknown): boolean => (error as { code?: string }).code === "EPIPE";

/** Writes all of `text` to stdout, whatever that is. Throws when it cannot be written (a full disk). */
export async function print(text: string): Promise<void> {
  if (text === "") return; // Bun.write of nothing truncates: ftruncate(1, 0), and what others wrote to that file is gone
  try {
    await Bun.write(Bun.stdout, text);
  } catch (error) {
    if (!gone(error)) throw new NsrunError(`cannot write to stdout: ${(error as { code?: string }).code ?? String(error)}`);
  }
}

/** Lines for the user. There is nowhere to complain when they cannot be written. */
export async function warn(lines: readonly string[]): Promise<void> {
  await Bun.write(Bun.stderr, `${lines.join("\n")}\n`).catch(() => {});
}

export interface Screen {
  /** Columns of the terminal that stdout is; 80 for what is no terminal, or a terminal that does not know (0). */
  readonly width: number;
  /** Stdout is a terminal, and neither NO_COLOR nor TERM speaks against it: https://no-color.org */
  readonly colour: boolean;
}

/** What stdout can show. */
export function screen(env: Readonly<Record<string, string | undefined>> = process.env): Screen {
  const width = columns(1);
  return { width: width || 80, colour: width !== undefined && !env.NO_COLOR && env.TERM !== "dumb" };
}

/** picocolors, told what {@link screen} has found: left alone it would ask process.stdout (6 ms), or believe $CI. */
export async function colours(wanted: boolean) {
  const { FORCE_COLOR } = process.env;
  process.env.FORCE_COLOR = "1";
  const { createColors } = await import("picocolors");
  if (FORCE_COLOR === undefined) delete process.env.FORCE_COLOR;
  else process.env.FORCE_COLOR = FORCE_COLOR;
  return createColors(wanted);
}
