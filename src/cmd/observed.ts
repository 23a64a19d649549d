/** `nsrun run` with an observer: --timings or --step. */
import { start } from "../container/box.ts";
import type { RunOptions } from "../container/options.ts";
import { UsageError } from "../errors.ts";
import type { Signals } from "./signals.ts";

async function timed(args: readonly string[], options: RunOptions, signals: Signals, format: "text" | "json"): Promise<number> {
  const { Stopwatch, timingsReport } = await import("./timings.ts");
  const observer = new Stopwatch();
  const running = await start(args, { ...options, observer });
  signals.target(running);
  try {
    return (await running.result).code;
  } finally {
    await running.closed;
    process.stderr.write(await timingsReport(observer.measured, format));
  }
}

/** The terminal belongs to the questions until the command begins: no other one for the container. */
async function byStep(args: readonly string[], options: RunOptions, signals: Signals): Promise<number> {
  const { Stepper } = await import("./step.ts");
  const { paintFor, width } = await import("./plan.ts");
  const observer = new Stepper(await paintFor(2), width(2));
  try {
    const running = await start(args, { ...options, tty: false, observer });
    signals.target(running);
    try {
      return (await running.result).code;
    } finally {
      await running.closed;
    }
  } finally {
    observer.close();
  }
}

export function runObserved(
  args: readonly string[],
  options: RunOptions,
  signals: Signals,
  timings: "text" | "json" | undefined,
  step: boolean,
): Promise<number> {
  if (!step) return timed(args, options, signals, timings ?? "text");
  if (timings) throw new UsageError("--step and --timings: what waits for a key has no time worth measuring");
  return byStep(args, options, signals);
}
