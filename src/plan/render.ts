/** A plan in words: one line a step, the call as strace prints it. What snapshot tests compare. */
import { CLONE, MNT, MOUNT_ATTR, MOVE_MOUNT, MS, names, O, OPEN_TREE } from "../ffi/flags.ts";
import { describe } from "../net/verb.ts";
import type { Arg, NetStep, Plan, ProgramStep, RelayStep, Step, SyscallStep } from "./step.ts";

/** Which argument of a call is a set of flags. */
const FLAG_ARGUMENT: Readonly<Record<string, readonly [number, Readonly<Record<string, number>>]>> = {
  mount: [3, MS],
  unshare: [0, CLONE],
  setns: [1, CLONE],
  fsmount: [2, MOUNT_ATTR],
  openat: [2, O],
  pipe2: [1, O],
  open_tree: [2, OPEN_TREE],
  move_mount: [4, MOVE_MOUNT],
  umount2: [1, MNT],
};

function argument(arg: Arg, step: SyscallStep, index: number): string {
  if (arg === null) return "NULL";
  if (typeof arg === "string") return JSON.stringify(arg);
  if (typeof arg === "object") {
    if ("slot" in arg) return `<${arg.slot}>`;
    if ("reg" in arg) return "<result>";
    if ("template" in arg) return JSON.stringify(arg.template.map((p) => (typeof p === "string" ? p : `<${p.slot}>`)).join(""));
    return arg.text;
  }
  const flags = FLAG_ARGUMENT[step.call];
  if (flags && flags[0] === index) return names(flags[1], arg);
  if (step.call === "clone" && index === 0) return `${names(CLONE, arg & ~0xff)}|SIGCHLD`;
  if (arg === -100) return "AT_FDCWD";
  if (step.call === "umask" || (index === 2 && ["mkdirat", "mknodat"].includes(step.call))) return `0${arg.toString(8)}`;
  return String(arg);
}

const relayLine = ({ relay }: RelayStep): string =>
  `read(<${relay.heard}>), ${JSON.stringify(relay.socket)} <- ${relay.requests.join(" ")}, write(<${relay.wake}>)`;

function netLine(step: NetStep): string {
  return `${step.side === "container" ? "in the container: " : ""}${describe(step.verb, "CONTAINER")}`;
}

/** As a shell would: both at once, then waited for. */
function programLine({ programs }: ProgramStep): string {
  return programs.map((words) => words.map((w) => (typeof w === "string" ? w : `<${w.slot}>`)).join(" ")).join(" & ");
}

function callLine(step: Step): string {
  if ("verb" in step) return netLine(step);
  if ("programs" in step) return programLine(step);
  if ("relay" in step) return relayLine(step);
  return `${step.call}(${step.args.map((arg, i) => argument(arg, step, i)).join(", ")})`;
}

/** `parent     mount("proc", ".", "proc", MS_NOSUID|…, NULL)   # mount proc on /proc` */
export function renderStep(step: Step): string {
  return `${step.lane.padEnd(9)} ${callLine(step)}  # ${step.label}`;
}

/** The plan's three parts, headed by their names. */
export function renderPlan(plan: Plan): string {
  const part = (title: string, steps: readonly Step[]) => (steps.length > 0 ? [`[${title}]`, ...steps.map(renderStep)] : []);
  return [...part("prepare", plan.prepare), ...part("between", plan.between), ...part("child", plan.child), ""].join("\n");
}
