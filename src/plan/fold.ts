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

/**
 * Of a pattern's calls, by name, the one to show, and the one whose label says what comes of them: counted from the
 * beginning or, below zero, from the end; or the name of the last such call. Without a label of its own the shown one's;
 * "run": the first's and the last's of the calls that are the shown one again; "all": of all of them.
 */
type Pick = number | string;
type Pattern = readonly [calls: string, telling: Pick, label?: Pick];

/** Calls that come several times in a row, for one thing after the other. */
const RUNS = ["mkdirat", "mknodat", "symlinkat", "fchownat", "execve", "openat", "ioctl", "dup3", "prlimit64", "mount_setattr"];

const NEW_MOUNT = "fsopen (fsconfig )+fsmount ";
/** How masks.ts hides files, and directories. */
const HIDE = "(open_tree move_mount close )";

/** First match wins. Regular expressions over the calls' names with a blank after each; no pattern crosses a lane. */
const PATTERNS: readonly Pattern[] = [
  [`${HIDE}+(${NEW_MOUNT}dup3 close move_mount ${HIDE}*)?`, 1, "run"],
  [`${NEW_MOUNT}dup3 close move_mount ${HIDE}*`, "move_mount", "run"],
  ["(open_tree mount_setattr move_mount close )+", 2, "run"],
  ["(mknodat ){2,}(symlinkat )+(mkdirat )+(fchownat )*", 0, "all"],
  ["getxattr openat ", 0],
  ["(mount ){2,}fchdir ", 0, "run"],
  [`${NEW_MOUNT}dup3 close openat2 move_mount (close )?`, 0, "move_mount"],
  [`open_tree (mount_setattr )?dup3 close openat2 move_mount (close )?`, 0, "move_mount"],
  [`${NEW_MOUNT}(close )?`, "fsmount"],
  ["getpid pidfd_open ", 1],
  ["prctl guard ", 0],
  ["(openat2 (on_mounts )?fchdir mount fchdir )+", "mount", "run"],
  ["(openat2 (on_mounts )?(mkdirat|mknodat) )+", -1],
  ["openat2 (on_mounts )?move_mount (close )?(fchdir )?", "move_mount"],
  ["(mknodat mount ){2,}", 1],
  ["mkdirat move_mount ", 1],
  ["move_mount fchdir ", 0],
  ["umask mount chdir (mkdirat )+(openat write )?(fchownat )+mkdirat move_mount mount ", "mount"],
  ["mount chdir (mkdirat )*", 0],
  ["unshare mount (open_tree dup3 )?", 0],
  ["setns write ", 1],
  ["openat eventfd2 ", 1],
  ["mount fchdir ", 0],
  ["chdir openat dup3 ", 0],
  ["openat2 fchdir (rooted )?", 0],
  ["(openat2 dup3 )+", 0, "run"],
  ["fchdir pivot_root umount2 (fchdir at_root )?", 1],
  ["fchdir chroot (fchdir at_root )?", 1],
  ["(setgroups )?setresgid setresuid (prctl (guard )?)?", "setresuid"],
  ["(dup3 ){2,}close_range close_range (fcntl )*", 0],
  ["prctl (dup3 )?close_range close_range (fcntl )*", "close_range"],
  ["(dup3 )?close_range close_range (fcntl )*", "close_range"],
  ["prctl seccomp prctl ", 1],
  ["openat (mount_setattr )+", 1, "run"],
  ["(openat write close ){2,}", -2],
  ["openat write (close )?", 1],
  ["(openat2 says close ){2,}", 1, "run"],
  ["openat2 (dup3 )?says descriptors ", "says"],
  ["seccomp prctl ", 0],
  ["unshare openat write ", 0],
  ["socket (ioctl|sendto) ", 1],
  ["(open_tree|landlock_create_ruleset) (mount_setattr )*(dup3 )?", 0],
  ["openat2 dup3 (landlock_add_rule )+", 2],
  ["(openat2?|ioctl) dup3 ", 0],
  ["(pipe2 )+socketpair ", -1],
  ...RUNS.map((call): Pattern => [`(${call} ){2,}`, 0, "run"]),
];

const COMPILED = PATTERNS.map(([calls, telling, label]) => [new RegExp(`^${calls}`), telling, label ?? telling] as const);

const nameOf = (step: Step): string => ("call" in step ? step.call : "verb" in step ? "rtnetlink" : "program");

interface Match {
  readonly length: number;
  readonly telling: number;
  readonly label: Pick;
}

/** How many steps at the beginning of `steps`, all of one lane, belong together, and which one tells. */
function match(steps: readonly Step[]): Match {
  const names = steps.map(nameOf);
  const text = names.map((name) => `${name} `).join("");
  for (const [pattern, telling, label] of COMPILED) {
    const [found] = pattern.exec(text) ?? [];
    if (!found) continue;
    const length = found.split(" ").length - 1;
    return { length, telling: place(names.slice(0, length), telling), label };
  }
  return { length: 1, telling: 0, label: 0 };
}

function place(names: readonly string[], pick: Pick): number {
  if (typeof pick === "string") return names.lastIndexOf(pick);
  return pick < 0 ? names.length + pick : pick;
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

/** What is done by them all: one's label, or, of several things done alike, the first's and the last's. */
function labelOf(steps: readonly Step[], { telling, label }: Match): string {
  if (label !== "run" && label !== "all") return steps[place(steps.map(nameOf), label)]!.label;
  const call = nameOf(steps[telling]!);
  const labels = steps.filter((step) => label === "all" || nameOf(step) === call).map((step) => step.label);
  return labels.length > 1 ? runLabel(labels[0]!, labels.at(-1)!) : labels[0]!;
}

/** All steps, in order, in groups. */
export function fold(steps: readonly Step[]): Group[] {
  const groups: Group[] = [];
  for (let at = 0; at < steps.length; ) {
    const { lane } = steps[at]!;
    const end = steps.findIndex((step, i) => i > at && step.lane !== lane);
    const rest = steps.slice(at, end < 0 ? undefined : end);
    const found = match(rest);
    const { length, telling } = found;
    const label = labelOf(rest.slice(0, length), found);
    groups.push({ lane, first: at + 1, last: at + length, telling: rest[telling]!, label });
    at += length;
  }
  return groups;
}
