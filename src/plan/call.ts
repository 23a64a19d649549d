/** One step of a plan as strace(1) would print it: names for flags, quoted strings, `<…>` for what only a run can know. */
import { PR } from "../ffi/flags.ts";
import type { Bytes } from "../ffi/program.ts";
import { describe } from "../net/verb.ts";
import type { Arg, Loop, NetStep, ProgramStep, RelayStep, Slot, SyscallStep, Words } from "./step.ts";
import { structFor } from "./structs.ts";
import type { TimelineStep } from "./timeline.ts";
import { wordFor } from "./words.ts";

/** C's way of quoting; what is no printable ASCII in octal, as strace does. */
export const quote = (text: string): string =>
  `"${[...Buffer.from(text)].map((byte, i, all) => ESCAPES[byte] ?? (byte < 32 || byte > 126 ? octal(byte, all[i + 1]) : String.fromCharCode(byte))).join("")}"`;

const ESCAPES: Readonly<Record<number, string>> = {
  9: "\\t",
  10: "\\n",
  11: "\\v",
  12: "\\f",
  13: "\\r",
  34: '\\"',
  92: "\\\\",
};
const isDigit = (byte: number | undefined) => byte !== undefined && byte >= 48 && byte <= 57;
const octal = (byte: number, next: number | undefined) => `\\${byte.toString(8).padStart(isDigit(next) ? 3 : 1, "0")}`;

/** A word of a program or a piece of a path that may hold a slot. */
export const piece = (part: string | Slot): string => (typeof part === "string" ? part : `<${part.slot}>`);

function argument(step: SyscallStep, index: number): string {
  const arg: Arg = step.args[index]!;
  if (arg === null) return "NULL";
  if (typeof arg === "string") return quote(arg);
  if (typeof arg === "number") return wordFor(step.call, step.args, index, arg) ?? String(arg);
  if (typeof arg === "bigint") return String(arg);
  if ("slot" in arg) return `<${arg.slot}>`;
  if ("reg" in arg) return "<result>";
  if ("template" in arg) return `"${arg.template.map(piece).join("")}"`;
  return memoryText(step, index, arg);
}

/** What lies at an address. */
export const memoryText = (step: SyscallStep, index: number, arg: Words | Bytes): string =>
  ("words" in arg ? structFor(step, index, arg) : undefined) ?? arg.text;

const O_CREAT = 0x40;
const S_IFREG = 0o100000;

/** How many arguments are worth printing: a mode or a device number counts only where something is made with it; strace's count. */
function shown({ call, args }: SyscallStep): number {
  if (call === "openat" && typeof args[2] === "number" && (args[2] & O_CREAT) === 0) return 3;
  if (call === "prctl" && args[0] === PR.PR_GET_SECCOMP) return 1;
  if (call === "mknodat" && typeof args[2] === "number" && (args[2] & 0o170000) === S_IFREG) return 3;
  return args.length;
}

/** strace names clone's arguments, since their order is the architecture's. */
function cloneCall(step: SyscallStep): string {
  const tid = step.args[2] === 0 ? "" : `, parent_tid=${argument(step, 2)}`;
  return `clone(child_stack=NULL, flags=${argument(step, 0)}${tid})`;
}

/** The trampoline's loops, as the system calls that they are made of: src/ffi/trampoline.c, checks.c, watch.c. */
export const LOOP_CALLS: Readonly<Record<Loop, readonly string[]>> = {
  reset_signals: ["rt_sigaction(1…64, {SIG_DFL}, NULL, 8)"],
  guard: ["ppoll([{fd=<result>, events=POLLIN}], 1, {tv_sec=0, tv_nsec=0}, NULL, 8)"],
  reap: [
    "munmap(<plan>, <size>)",
    "rt_sigtimedwait(~[], NULL, NULL, 8)",
    "wait4(-1, <status>, WNOHANG, NULL)",
    "kill(<result>, <signal>)",
    "sendto(<sock>, <status>, 16, MSG_NOSIGNAL, NULL, 0)",
    "exit_group(<status>)",
  ],
  watch: [
    "pidfd_open(<pid>, 0)",
    "ppoll([{<pidfd>, POLLIN}, {<sock>, POLLHUP}, …], 6, NULL, NULL, 8)",
    "wait4(<pid>, <status>, 0, NULL)",
    "sendto(<sock>, <status>, 16, MSG_NOSIGNAL, NULL, 0)",
  ],
  bound_capabilities: ["prctl(PR_CAPBSET_READ, CAP_…)", "prctl(PR_CAPBSET_DROP, CAP_…)"],
  says: ["fstatfs(<result>, {f_type=PROC_SUPER_MAGIC, …})", "pread64(<result>, <text>, 16384, 0)"],
  descriptors: ["fcntl(3…<result>, F_GETFD)"],
  at_root: ['getcwd("/", 4096)'],
  rooted: ['getcwd("/…", 4096)'],
  on_mounts: [
    'statx(<result>, "", AT_EMPTY_PATH, STATX_MNT_ID, <its mount>)',
    'statx(<each>, "", AT_EMPTY_PATH, STATX_MNT_ID, <mount>)',
  ],
  sweep: [
    'openat(AT_FDCWD, "/proc/thread-self/children", O_RDONLY|O_CLOEXEC)',
    "kill(<each>, SIGKILL)",
    "wait4(<each>, NULL, 0, NULL)",
  ],
  restore_terminal: ["ioctl(0, TCGETS, <now>)", "ioctl(0, TCSETS, <saved>)"],
};
/** Of these the one that says it all. */
const TELLING: Readonly<Partial<Record<Loop, readonly number[]>>> = {
  reap: [1, 2],
  watch: [1, 2],
  sweep: [1, 2],
  bound_capabilities: [1],
  says: [1],
};

export const isLoop = (call: string): call is Loop => Object.hasOwn(LOOP_CALLS, call);

function systemCall(step: SyscallStep): string {
  const { call } = step;
  if (isLoop(call)) return (TELLING[call] ?? [0]).map((i) => LOOP_CALLS[call][i]).join(", ");
  if (call === "clone") return cloneCall(step);
  const list = Array.from({ length: shown(step) }, (_, i) => argument(step, i));
  return `${call}(${list.join(", ")})`;
}

const relayLine = ({ relay }: RelayStep): string =>
  `read(<${relay.heard}>), ${JSON.stringify(relay.socket)} <- ${relay.requests.join(" ")}, write(<${relay.wake}>)`;

/** The far end's namespace has a descriptor only when the plan runs. */
function netLine({ verb, side, peerIn }: NetStep): string {
  const whole = peerIn !== undefined && verb.verb === "link add veth" ? { ...verb, peer: { ...verb.peer, netns: 0 } } : verb;
  return `${side === "container" ? "in the container: " : ""}${describe(whole, "CONTAINER")}`;
}

/** As a shell would: both at once, then waited for. */
const programLine = ({ programs }: ProgramStep): string => programs.map((words) => words.map(piece).join(" ")).join(" & ");

/** `mount("proc", ".", "proc", MS_NOSUID|MS_NODEV|MS_NOEXEC, NULL)`; a netlink request as its `ip` command. */
export function callText(step: TimelineStep): string {
  if ("fixed" in step) return step.calls.slice(-2).join(", ");
  if ("verb" in step) return netLine(step);
  if ("programs" in step) return programLine(step);
  if ("relay" in step) return relayLine(step);
  return systemCall(step);
}
