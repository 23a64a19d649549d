/** `nsrun run … --timings[=json]`: after the run, on stderr: its stdout is the command's. */
import { type Measured, Stopwatch } from "../container/stopwatch.ts";
import { type Paint, PLAIN } from "../plan/text.ts";
import { KINDS, type StepTime, type Times, timesOf } from "../plan/times.ts";
import { paintFor, width } from "./plan.ts";

const us = (value: number | undefined): string => (value === undefined ? "-" : value.toFixed(1));

/** A line a step, then the totals. */
export function timingsText({ steps, totals, elapsed }: Times, columns: number, paint: Paint = PLAIN): string {
  const line = (s: StepTime) => {
    const label = s.label.length > columns - 38 ? `${s.label.slice(0, columns - 39)}…` : s.label;
    const words = s.waits ? paint.dim(`${label} (waits)`) : label;
    return `${paint.dim(String(s.number).padStart(4))} ${paint.lane(s.lane as never, s.lane.padEnd(9))} ${us(s.us).padStart(10)}  ${words}`;
  };
  const total = (name: string, value: number) => `     ${name.padEnd(9)} ${paint.label(us(value).padStart(10))}`;
  return [
    `   # lane              µs  step`,
    ...steps.map(line),
    "     totals            µs  of work; processes run side by side",
    ...KINDS.map((kind) => total(kind, totals[kind])),
    `${total("elapsed", elapsed)}  from the first step to the command's program`,
    "",
  ].join("\n");
}

/** The JSON of docs/plan-json.md, "Timings". */
export const timingsJson = (times: Times): string => `${JSON.stringify({ version: 1, unit: "us", ...times })}\n`;

export { Stopwatch };

/** To be printed when the run is over. */
export async function timingsReport(measured: Measured | undefined, format: "text" | "json"): Promise<string> {
  if (!measured) return "nsrun: no timings: the container was not started, or ended with its watcher\n";
  const times = timesOf(measured.plan, measured);
  return format === "json" ? timingsJson(times) : timingsText(times, width(2), await paintFor(2));
}
