/** `--step`: a plan whose children ask before each step, and wait for one byte. More steps, no other C. */
import { step } from "./list.ts";
import { type Plan, type SyscallStep, slot } from "./step.ts";

/** The record {8, step, 0, 0}: a child stands before that step of the plan. */
export const RECORD_ASKS = 8;
const CLOSE_RANGE_CLOEXEC = 4;
const MSG_NOSIGNAL = 0x4000;
const own = { observing: true } as const;

/** Ask, and wait. The end of the pipe is a no. */
function ask({ lane }: SyscallStep, index: number, mark: string | undefined): SyscallStep[] {
  const record = new Uint8Array(16);
  new DataView(record.buffer).setInt32(0, RECORD_ASKS, true);
  new DataView(record.buffer).setInt32(4, index, true);
  return [
    step(lane, "ask", "sendto", [slot("sock"), { bytes: record, text: "{asks}" }, 16, MSG_NOSIGNAL, 0, 0], {
      ...own,
      ...(mark ? { mark } : {}),
    }),
    step(lane, "wait for the answer", "read", [slot("step.wait"), { bytes: new Uint8Array(8), text: "<answer>" }, 1], {
      ...own,
      exact: true,
    }),
  ];
}

/** Nothing is asked where two processes would read one answer: in the uplink's lane, and behind the clones by their callers. */
function asks(child: readonly SyscallStep[]): (index: number) => boolean {
  const silent = new Set<string>(["uplink"]);
  return (i) => {
    const one = child[i]!;
    if (one.mark === "watch" || one.mark === "init") silent.add(one.lane);
    return !silent.has(one.lane);
  };
}

/** The command's close_range(2) would take the pipe away: its exec closes the rest as well. */
const closing = (one: SyscallStep): SyscallStep =>
  one.lane === "payload" && one.call === "close_range"
    ? { ...one, args: [one.args[0]!, one.args[1]!, CLOSE_RANGE_CLOEXEC] }
    : one;

/** `plan`, step by step. Slots: step.wait, read by the children; step.answer, for whoever answers. */
export function stepped(plan: Plan): Plan {
  const wanted = asks(plan.child);
  const child = plan.child.flatMap((one, i) => {
    if (!wanted(i)) return [closing(one)];
    const { mark, ...rest } = one;
    return [...ask(one, i, mark), closing(rest)];
  });
  const ends = { bytes: new Uint8Array(8), text: "[<step.wait>, <step.answer>]" };
  const pipe = step("parent", "a pipe for the answers", "pipe2", [ends, 0x80000], {
    ...own,
    store: ["step.wait", "step.answer"],
  });
  return { ...plan, prepare: [pipe, ...plan.prepare], child };
}
