/** Neighbouring steps that do one thing together, as one line: the plan of a container is about a hundred calls long. */
import type { Lane } from "./step.ts";
import type { TimelineStep as Step } from "./timeline.ts";

/** Steps `first` to `last`, counted from 1. */
export interface Group {
  readonly lane: Lane;
  readonly first: number;
  readonly last: number;
  /** The call that says most about them. */
  readonly telling: Step;
  readonly label: string;
}

/** Of a pattern's calls, by name, the one to show: from the beginning, or, below zero, from the end. */
type Pattern = readonly [calls: string, telling: number];

/** Calls that come several times in a row, for one thing after the other. */
const RUNS = ["mkdirat", "mknodat", "symlinkat", "fchownat", "execve", "openat", "ioctl", "dup3"];

/** First match wins. Regular expressions over the calls' names with a blank after each; no pattern crosses a lane. */
const PATTERNS: readonly Pattern[] = [
  ["fsopen (fsconfig )+fsmount ", -1],
  ["getpid pidfd_open ", 1],
  ["prctl guard ", 0],
  ["openat2 fchdir mount fchdir ", 2],
  ["(openat2 (mkdirat|mknodat) )+", -1],
  ["openat2 move_mount ", 1],
  ["(mknodat mount ){2,}", 1],
  ["move_mount fchdir ", 0],
  ["chdir openat dup3 ", 0],
  ["fchdir pivot_root umount2 chdir ", 1],
  ["fchdir chroot ", 1],
  ["(setgroups )?setresgid setresuid ", -1],
  ["(dup3 ){2,}close_range close_range ", 0],
  ["close_range close_range (fcntl )?", 0],
  ["(openat write close ){2,}", -2],
  ["openat write (close )?", 1],
  ["unshare openat write ", 0],
  ["socket (ioctl|sendto) ", 1],
  ["open_tree (mount_setattr )*(dup3 )?", 0],
  ["(openat|ioctl) dup3 ", 0],
  ["(pipe2 )+socketpair ", -1],
  ...RUNS.map((call): Pattern => [`(${call} ){2,}`, 0]),
];

const COMPILED = PATTERNS.map(([calls, telling]) => [new RegExp(`^${calls}`), telling] as const);

const nameOf = (step: Step): string => ("call" in step ? step.call : "verb" in step ? "rtnetlink" : "program");

/** How many steps at the beginning of `steps`, all of one lane, belong together, and which one tells. */
function match(steps: readonly Step[]): { length: number; telling: number } {
  const text = steps.map((step) => `${nameOf(step)} `).join("");
  for (const [pattern, telling] of COMPILED) {
    const [found] = pattern.exec(text) ?? [];
    if (!found) continue;
    const length = found.split(" ").length - 1;
    return { length, telling: telling < 0 ? length + telling : telling };
  }
  return { length: 1, telling: 0 };
}

/** `make /dev/null … tty` for a run of the same call. */
function runLabel(first: string, last: string): string {
  let same = 0;
  while (same < first.length && first[same] === last[same]) same++;
  const blank = first.lastIndexOf(" ", same - 1);
  const slash = first.lastIndexOf("/", same - 1);
  const from = slash > blank + 1 ? slash + 1 : blank + 1; // a path's first slash belongs to it
  return `${first} … ${last.slice(from)}`;
}

function labelOf(steps: readonly Step[], telling: number): string {
  const [first, last] = [steps[0]!, steps.at(-1)!];
  const run = steps.length > 1 && RUNS.includes(nameOf(first)) && steps.every((step) => nameOf(step) === nameOf(first));
  return run ? runLabel(first.label, last.label) : steps[telling]!.label;
}

/** All steps, in order, in groups. */
export function fold(steps: readonly Step[]): Group[] {
  const groups: Group[] = [];
  for (let at = 0; at < steps.length; ) {
    const { lane } = steps[at]!;
    const end = steps.findIndex((step, i) => i > at && step.lane !== lane);
    const rest = steps.slice(at, end < 0 ? undefined : end);
    const { length, telling } = match(rest);
    const label = labelOf(rest.slice(0, length), telling);
    groups.push({ lane, first: at + 1, last: at + length, telling: rest[telling]!, label });
    at += length;
  }
  return groups;
}
