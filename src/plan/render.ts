/** A plan in words, one line a step: what the golden tests compare. For people: text.ts. */
import { callText } from "./call.ts";
import type { Plan, Step } from "./step.ts";

/** `parent     mount("proc", ".", "proc", MS_NOSUID|…, NULL)   # mount proc on /proc` */
export function renderStep(step: Step): string {
  return `${step.lane.padEnd(9)} ${callText(step)}  # ${step.label}`;
}

/** The plan's three parts, headed by their names. */
export function renderPlan(plan: Plan): string {
  const part = (title: string, steps: readonly Step[]) => (steps.length > 0 ? [`[${title}]`, ...steps.map(renderStep)] : []);
  return [...part("prepare", plan.prepare), ...part("between", plan.between), ...part("child", plan.child), ""].join("\n");
}
