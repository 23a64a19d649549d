/** A lesson's plans in words, as --plan shows them: src/plan/text.ts. */
import { plan } from "../container/box.ts";
import type { Caller } from "../container/caller.ts";
import { NsrunError } from "../errors.ts";
import type { SyscallStep } from "../plan/step.ts";
import { type Paint, planText, stepsText } from "../plan/text.ts";
import type { Calls, Lesson, Making } from "./lesson.ts";

/** What a child of clone(2) does: its list, after the clone. There is no stage: observe() of src/ffi makes it. */
function stepsOfCalls(flags: number, calls: Calls): SyscallStep[] {
  const step = (lane: SyscallStep["lane"], label: string, call: SyscallStep["call"], args: SyscallStep["args"]): SyscallStep => ({
    lane,
    label,
    call,
    args,
  });
  return [
    step("parent", "clone the child", "clone", [flags | 17, 0, 0, 0, 0]),
    ...calls.map((one) => step("container", one.tell ? `${one.label} (what it says is a proof)` : one.label, one.call, one.args)),
  ];
}

async function textOf(making: Making, columns: number, paint: Paint): Promise<string> {
  if ("calls" in making) return stepsText(stepsOfCalls(making.flags, making.calls), columns, paint);
  return planText(await plan(making.command, making.options), columns, paint);
}

export interface Explained {
  readonly title: string;
  /** Lines, or why it cannot be planned here. */
  readonly text: string;
}

/** Every plan of the lesson, `columns` wide. Nothing is run. */
export async function explain(lesson: Lesson, caller: Caller, columns: number, paint: Paint): Promise<Explained[]> {
  const explained: Explained[] = [];
  for await (const making of lesson.plans(caller)) {
    try {
      explained.push({ title: making.title, text: await textOf(making, columns, paint) });
    } catch (error) {
      if (!(error instanceof NsrunError)) throw error;
      explained.push({ title: making.title, text: `not planned here: ${error.message}\n` });
    }
  }
  return explained;
}
