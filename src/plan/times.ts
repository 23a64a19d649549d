/** What the stamps of a timed plan mean: how long each step took, and all of a kind together. */
import { callText } from "./call.ts";
import type { Plan, Step, SyscallStep } from "./step.ts";
import { stampOf } from "./timed.ts";
import { lastBeforeWatch, type TimelineStep, timeline } from "./timeline.ts";

export const KINDS = ["clone", "maps", "network", "mounts", "exec", "other"] as const;
export type Kind = (typeof KINDS)[number];

export interface StepTime {
  /** As in --plan. */
  readonly number: number;
  readonly lane: string;
  readonly label: string;
  /** Microseconds; undefined: it was not reached, or never ended. */
  readonly us: number | undefined;
  readonly kind: Kind;
  /** It waited for somebody else: in no total. */
  readonly waits: boolean;
}

export interface Times {
  readonly steps: readonly StepTime[];
  /** Microseconds of work by kind. Processes run side by side: the sum is not the time that passed. */
  readonly totals: Readonly<Record<Kind, number>>;
  /** From the first step to the command's program, in microseconds. */
  readonly elapsed: number;
}

const NETWORK = /\/ns\/net$|IFF_|RTM_|uplink|network|interfaces/;
const MOUNTS =
  /^(fs(open|config|mount)|open_tree|move_mount|mount(_setattr)?|umount2|pivot_root|chroot|mkdirat|mknodat|symlinkat|fchownat|openat2?|fchdir|dup3|unlinkat)$/;

/** What a step is for. */
export function kindOf(step: TimelineStep): Kind {
  if ("fixed" in step) return step.fixed === "start" ? "clone" : "other";
  if ("verb" in step || "relay" in step || step.lane === "uplink") return "network";
  if ("programs" in step) return "maps";
  if (/(uid|gid)_map|setgroups$/.test(step.label)) return "maps";
  if (NETWORK.test(callText(step)) || NETWORK.test(step.label)) return "network";
  if (step.call === "clone" || step.call === "clone3") return "clone";
  if (step.call === "execve") return "exec";
  return MOUNTS.test(step.call) && step.lane !== "stage" && step.lane !== "payload" ? "mounts" : "other";
}

const isWait = (step: TimelineStep): boolean => "call" in step && /^(read|watch|reap|sweep)$/.test(step.call);

interface Stamps {
  readonly parent: ReadonlyMap<Step, { readonly begin: bigint; readonly end: bigint }>;
  readonly starting: bigint;
  readonly stamps: readonly bigint[];
}

/** Walks through the list as its processes do: behind a clone one goes on here, the other at the mark. */
function childTimes(child: readonly SyscallStep[], stamps: readonly bigint[]): Map<SyscallStep, bigint> {
  const times = new Map<SyscallStep, bigint>();
  const callers = new Map<string, bigint>();
  let last = stamps[stampOf.begin(child.length)] ?? 0n;
  const free = lastBeforeWatch(child);
  let executed = false;
  for (const [i, step] of child.entries()) {
    if (step.mark !== undefined) {
      last = callers.get(step.mark) ?? 0n;
      executed = false;
    }
    const own = stamps[stampOf.after(i)] ?? 0n;
    if (step.jump !== undefined) {
      const cloned = stamps[stampOf.cloned(i)] ?? 0n;
      callers.set(step.jump, cloned);
      if (cloned > 0n) times.set(step, cloned - last);
      last = own;
    } else if (own > 0n) {
      if (last > 0n) times.set(step, own - last);
      last = own;
    } else if (step.call === "execve" && step.lane !== "uplink" && !executed) {
      executed = true;
      const end = stamps[stampOf.executed(child.length)] ?? 0n;
      if (end > 0n) times.set(step, end - last);
    }
    // then the stage has waited for the exec: no step of the plan
    if (i === free) last = stamps[stampOf.executed(child.length)] || last;
  }
  return times;
}

const micro = (ns: bigint | undefined): number | undefined => (ns === undefined ? undefined : Number(ns) / 1000);

/** All of it, in the order of the timeline. */
export function timesOf(plan: Plan, { parent, starting, stamps }: Stamps): Times {
  const child = childTimes(plan.child, stamps);
  const n = plan.child.length;
  const took = (step: TimelineStep): bigint | undefined => {
    if ("fixed" in step) return step.fixed === "start" ? (stamps[stampOf.begin(n)] ?? 0n) - starting : undefined;
    const own = parent.get(step);
    return own ? own.end - own.begin : child.get(step as SyscallStep);
  };
  const all = timeline(plan);
  const end = all.findIndex((step) => "call" in step && step.call === "watch");
  const steps = all.map((step, i) => ({
    number: i + 1,
    lane: step.lane,
    label: step.label,
    us: micro(took(step)),
    kind: i > end ? "other" : kindOf(step), // nobody waits for what the stage does afterwards
    waits: isWait(step),
  }));
  const sum = (kind: Kind) => steps.reduce((all, s) => all + (s.kind === kind && !s.waits ? (s.us ?? 0) : 0), 0);
  const totals = Object.fromEntries(KINDS.map((kind) => [kind, sum(kind)])) as Record<Kind, number>;
  const first = parent.values().next().value?.begin ?? starting;
  return { steps, totals, elapsed: micro((stamps[stampOf.executed(n)] ?? first) - first) ?? 0 };
}
