/** A lesson's plans in words. The face of a plan is src/plan/render.ts's. */
import { plan } from "../container/box.ts";
import type { Caller } from "../container/caller.ts";
import { NsrunError } from "../errors.ts";
import { renderPlan } from "../plan/render.ts";
import type { Plan, SyscallStep } from "../plan/step.ts";
import type { Calls, Lesson, Making } from "./lesson.ts";

/** What a child of clone(2) does, as a plan: its list, after the clone. */
function planOfCalls(flags: number, calls: Calls): Plan {
  const step = (call: SyscallStep["call"], args: SyscallStep["args"], label: string): SyscallStep => ({
    lane: "container",
    label,
    call,
    args,
  });
  const start: SyscallStep = { ...step("clone", [flags | 17, 0, 0, 0, 0], "clone the child"), lane: "stage" };
  const list = calls.map((one) => step(one.call, one.args, one.tell ? `${one.label} (what it says is a proof)` : one.label));
  return { prepare: [], child: [start, ...list], between: [], waits: false };
}

async function planOf(making: Making): Promise<Plan> {
  return "calls" in making ? planOfCalls(making.flags, making.calls) : plan(making.command, making.options);
}

export interface Explained {
  readonly title: string;
  /** Lines, or why it cannot be planned here. */
  readonly text: string;
}

/** Every plan of the lesson. Nothing is run. */
export async function explain(lesson: Lesson, caller: Caller): Promise<Explained[]> {
  const explained: Explained[] = [];
  for await (const making of lesson.plans(caller)) {
    try {
      explained.push({ title: making.title, text: renderPlan(await planOf(making)) });
    } catch (error) {
      if (!(error instanceof NsrunError)) throw error;
      explained.push({ title: making.title, text: `not planned here: ${error.message}\n` });
    }
  }
  return explained;
}
