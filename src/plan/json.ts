/** `--plan=json`: the whole plan as data, for programs. The format is docs/plan-json.md; a change there is a new version. */
import type { Bytes } from "../ffi/program.ts";
import { callText, isLoop, LOOP_CALLS, memoryText } from "./call.ts";
import { manPage, reason } from "./manual.ts";
import type { Arg, Plan, Slot, SyscallStep, Words } from "./step.ts";
import { type TimelineStep as Step, timeline } from "./timeline.ts";
import { wordFor } from "./words.ts";

export const PLAN_VERSION = 1;

const piece = (part: string | Slot) => part; // a slot is {"slot": NAME} already

/** A null-terminated array of strings: argv, envp. */
function stringList(memory: Words | Bytes): string[] | undefined {
  if (!("words" in memory) || memory.words.at(-1) !== 0) return undefined;
  const list = memory.words.slice(0, -1);
  return list.every((word) => typeof word === "string") ? (list as string[]) : undefined;
}

function argument(step: SyscallStep, arg: Arg, index: number): unknown {
  if (arg === null || typeof arg === "string") return arg;
  if (typeof arg === "number") {
    const word = wordFor(step.call, step.args, index, arg);
    return word === undefined ? arg : { value: arg, text: word };
  }
  if ("slot" in arg) return { slot: arg.slot };
  if ("reg" in arg) return { result: true };
  if ("template" in arg) return { path: arg.template.map(piece) };
  const list = stringList(arg);
  return list ? { strings: list } : { memory: memoryText(step, index, arg) };
}

function call(step: Step): { name: string; args: unknown[]; made_of?: readonly string[] } {
  if ("verb" in step) return { name: "rtnetlink", args: [{ side: step.side, ...step.verb }] };
  if ("programs" in step) return { name: "spawn", args: step.programs.map((words) => words.map(piece)) };
  if ("relay" in step) return { name: "relay", args: [step.relay] };
  if ("fixed" in step) return { name: step.fixed, args: [], made_of: step.calls };
  const args = step.args.map((arg, i) => argument(step, arg, i));
  return { name: step.call, args, ...(isLoop(step.call) ? { made_of: LOOP_CALLS[step.call] } : {}) };
}

/** What may come of the call, and where the result goes. */
function outcome(step: Step) {
  if (!("call" in step)) return {};
  return {
    ...(step.store === undefined ? {} : { stores: step.store === true ? "result" : step.store }),
    ...(step.tolerate === undefined ? {} : { tolerates: step.tolerate }),
    ...(step.soft ? { may_fail: true } : {}),
    ...(step.exact ? { exact: true } : {}),
  };
}

/** One step of {@link planJson}, numbered from 1. */
export function stepJson(step: Step, number: number) {
  const why = reason(step);
  return {
    number,
    lane: step.lane,
    label: step.label,
    call: call(step),
    text: callText(step),
    ...(why === undefined ? {} : { why }),
    man: manPage(step),
    ...outcome(step),
  };
}

/** The document. `JSON.stringify` it. */
export function planJson(plan: Plan) {
  return { version: PLAN_VERSION, steps: timeline(plan).map((step, i) => stepJson(step, i + 1)) };
}
