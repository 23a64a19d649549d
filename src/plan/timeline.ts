/** The steps of a plan in the order of time: the numbers that errors, `--plan`, `--timings` and `--step` speak of. */
import type { Plan, Step } from "./step.ts";

/**
 * The lists of a plan as one. What waits for the parent comes after what the parent does meanwhile; the stage reports the
 * pid before it; what the stage does after its watch comes last.
 */
export function timeline(plan: Plan): Step[] {
  const { prepare, child, between } = plan;
  const clone = child.findIndex((step) => step.jump === "watch");
  const report = child.findIndex((step) => step.mark === "watch");
  if (clone < 0 || report < clone) return [...prepare, ...child, ...between];
  const rest = [...child.slice(clone + 1, report), ...child.slice(report + 1)];
  return [...prepare, ...child.slice(0, clone + 1), child[report]!, ...between, ...rest];
}
