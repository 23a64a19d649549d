/**
 * `--timings`: a plan that notes the time after each step of its children. More steps, no other C: a page that all of the
 * plan's processes share, clock_gettime(2) into it, and one sendto(2) at the end. A plan that is not timed has none of them.
 */
import { step } from "./list.ts";
import { type Plan, type SyscallStep, slot } from "./step.ts";
import { lastBeforeWatch } from "./timeline.ts";

/** A fixed address, far from the sealed ELF's two segments (src/ffi/image.ts) and below what mmap(2) gives by itself. */
const PAGE = 0x20000000;
const PAGE_SIZE = 65536;
/** struct timespec */
const STAMP = 16;
const CLOCK_REALTIME = 0; // no time namespace moves it
const MAP_SHARED_ANONYMOUS_FIXED = 0x1 | 0x20 | 0x100000;
const PROT_READ_WRITE = 3;
const CLOSE_RANGE_CLOEXEC = 4;
const MSG_NOSIGNAL = 0x4000;

/** The record {7, stamps, 0, 0}; so many struct timespec follow. */
export const RECORD_STAMPS = 7;

/** Which stamp is what, for a plan with `n` steps of children. */
export const stampOf = {
  /** After the step; after a clone: as the child sees it. */
  after: (i: number): number => 2 * i,
  /** After a clone, as its caller sees it. */
  cloned: (i: number): number => 2 * i + 1,
  /** The stage's first breath. */
  begin: (n: number): number => 2 * n,
  /** The command's program has begun. */
  executed: (n: number): number => 2 * n + 1,
};
export const stampCount = (n: number): number => 2 * n + 2;

type Lane = SyscallStep["lane"];
/** Steps of ours are not the plan's: they have no number. */
const own = { observing: true } as const;

const stamp = (lane: Lane, index: number, mark?: string): SyscallStep =>
  step(lane, "note the time", "clock_gettime", [CLOCK_REALTIME, PAGE + index * STAMP], { ...own, ...(mark ? { mark } : {}) });

/** After these the process is another one, or none. */
const LAST = new Set(["reap", "exit_group"]);
/** After it a process may make only the calls that its filter allows, and none of ours. */
const FILTER = "seccomp";

/** The end of a pipe that only an exec closes tells that the command's program has begun. */
const untilExec = (n: number): SyscallStep[] => [
  step("stage", "leave the pipe to the command", "close", [slot("exec.wrote")], own),
  step("stage", "wait for the exec", "read", [slot("exec.read"), { bytes: new Uint8Array(8), text: '""' }, 1], own),
  stamp("stage", stampOf.executed(n)),
];

/** Closed at exec rather than before: the same for the command, and the pipe lives until then. */
function closing(one: SyscallStep): SyscallStep {
  if (one.lane !== "payload" || one.call !== "close_range") return one;
  return { ...one, args: [one.args[0]!, one.args[1]!, CLOSE_RANGE_CLOEXEC] };
}

function timedChild(child: readonly SyscallStep[]): SyscallStep[] {
  const n = child.length;
  const clones = new Map(child.flatMap((one, i) => (one.jump === undefined ? [] : [[one.jump, i] as const])));
  const map = [PAGE, PAGE_SIZE, PROT_READ_WRITE, MAP_SHARED_ANONYMOUS_FIXED, -1, 0];
  const header = new Uint8Array(STAMP);
  new DataView(header.buffer).setInt32(0, RECORD_STAMPS, true);
  new DataView(header.buffer).setInt32(4, stampCount(n), true);
  const send = (what: SyscallStep["args"][number], length: number) =>
    step("stage", "send the times", "sendto", [slot("sock"), what, length, MSG_NOSIGNAL, 0, 0], own);
  const out = [step("stage", "a page for the times", "mmap", map, own), stamp("stage", stampOf.begin(n))];
  const free = lastBeforeWatch(child);
  let filtered = false;
  for (const [i, one] of child.entries()) {
    const { mark, ...rest } = one;
    if (mark !== undefined) filtered = false; // another process goes on there
    if (mark !== undefined) out.push(stamp(one.lane, stampOf.cloned(clones.get(mark)!), mark));
    if (i === n - 1) out.push(send({ bytes: header, text: "{stamps}" }, STAMP), send(PAGE, stampCount(n) * STAMP));
    out.push(closing(rest));
    filtered ||= one.call === FILTER;
    if (!filtered && !LAST.has(one.call)) out.push(stamp(one.lane, stampOf.after(i)));
    if (i === free) out.push(...untilExec(n));
  }
  return out;
}

/** `plan`, timed. What it does is the same, but for descriptors that the command's exec closes rather than a call before. */
export function timed(plan: Plan): Plan {
  if (stampCount(plan.child.length) * STAMP > PAGE_SIZE) throw new RangeError("a plan too long to be timed");
  const ends = { bytes: new Uint8Array(8), text: "[<exec.read>, <exec.wrote>]" };
  const pipe = step("parent", "a pipe that ends with the exec", "pipe2", [ends, 0x80000], {
    ...own,
    store: ["exec.read", "exec.wrote"],
  });
  return { ...plan, prepare: [...plan.prepare, pipe], child: timedChild(plan.child) };
}
