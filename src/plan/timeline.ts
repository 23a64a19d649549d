/** The steps of a plan in the order of time: the numbers that errors, `--plan`, `--timings` and `--step` speak of. */
import type { FixedStep, Plan, Step, SyscallStep } from "./step.ts";

/** src/ffi/vexec.ts. Stackless: the child makes one call in our memory, and is another program. */
const START: FixedStep = {
  lane: "parent",
  label: "start the stage",
  why: "the list is an ELF in a sealed memfd: neither our memory nor our program goes along into the container",
  fixed: "start",
  calls: [
    'memfd_create("nsrun", MFD_CLOEXEC|MFD_ALLOW_SEALING|MFD_EXEC)',
    "clone(child_stack=NULL, flags=CLONE_VM|CLONE_VFORK|SIGCHLD)",
    'execveat(<memfd>, "", ["nsrun-init", <name>], [], AT_EMPTY_PATH)',
  ],
};

const GO: FixedStep = {
  lane: "parent",
  label: "let the container go on",
  why: "what it was waiting for is done",
  fixed: "go",
  calls: ['sendto(<socket>, "g", 1, MSG_NOSIGNAL, NULL, 0)'],
};

export type TimelineStep = Step | FixedStep;

/** Behind a clone each process goes on for itself: the stage's first step is its report. -1: there is none. */
function reportOf(child: readonly SyscallStep[]): number {
  const clone = child.findIndex((step) => step.jump === "watch");
  return clone < 0 ? -1 : child.findIndex((step, i) => i > clone && step.lane === "stage");
}

/** The stage's last step before it only watches: its report, or that it lets the container take the root which it has made. */
export function lastBeforeWatch(child: readonly SyscallStep[]): number {
  const report = reportOf(child);
  const made = child.findIndex(({ lane, call }, i) => i > report && lane === "stage" && call === "write");
  return report < 0 || made < 0 ? report : made;
}

/**
 * The lists of a plan as one. What waits for the parent comes after what the parent does meanwhile; the stage reports the
 * pid before it; what the stage does after its watch comes last.
 */
export function timeline(plan: Plan): TimelineStep[] {
  const kept = ({ observing }: SyscallStep) => !observing;
  const [prepare, child] = [plan.prepare.filter(kept), plan.child.filter(kept)];
  const between = plan.waits ? [...plan.between, GO] : plan.between;
  const clone = child.findIndex((step) => step.jump === "watch");
  const report = reportOf(child);
  if (report < 0) return [...prepare, START, ...child, ...between];
  const made = lastBeforeWatch(child);
  const rest = [...child.slice(report + 1, made + 1), ...child.slice(clone + 1, report), ...child.slice(made + 1)];
  return [...prepare, START, ...child.slice(0, clone + 1), child[report]!, ...between, ...rest];
}
