/**
 * What the command gives up before it begins, in the one order that works: the bounding set while there is CAP_SETPCAP, ids
 * while there is CAP_SETUID, capabilities, and the filter last, which forbids most of what came before.
 */
import { CAPABILITIES, KEYCTL_JOIN_SESSION_KEYRING, PR, PR_CAP_AMBIENT_RAISE, SECCOMP_SET_MODE_FILTER } from "../ffi/flags.ts";
import { becomeSteps } from "./identity.ts";
import { step } from "./list.ts";
import type { ContainerSpec, ProcessSpec } from "./spec.ts";
import type { Arg, Lane, SyscallStep } from "./step.ts";

const { PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS, PR_SET_KEEPCAPS, PR_CAP_AMBIENT } = PR;

/** The number of a capability: its bit. */
const bit = (name: string): number => CAPABILITIES.indexOf(name);

/** Two words of 32 bits. */
function mask(names: readonly string[]): [low: number, high: number] {
  let [low, high] = [0, 0];
  for (const name of names) {
    const at = bit(name);
    if (at < 32) low = (low | (1 << at)) >>> 0;
    else high |= 1 << (at - 32);
  }
  return [low, high];
}

/** As a line of /proc/PID/status has it: 16 hexadecimal digits. */
const hex = (names: readonly string[]): string => {
  const [low, high] = mask(names);
  return (high * 2 ** 32 + low).toString(16).padStart(16, "0");
};

/** In the kernel's order, as strace(1) prints a set. */
const listed = (names: readonly string[]): string =>
  CAPABILITIES.filter((name) => names.includes(name))
    .map((name) => `1<<${name}`)
    .join("|") || "0";

const CAP_HEADER = "{version=_LINUX_CAPABILITY_VERSION_3, pid=0}";

/** capset(2): struct __user_cap_header_struct of version 3, and twice {effective, permitted, inheritable}. */
function capset(lane: Lane, label: string, permitted: readonly string[], inheritable: readonly string[] = []): SyscallStep {
  const header = { words: [0x20080522], text: CAP_HEADER };
  const [held, kept] = [mask(permitted), mask(inheritable)];
  const words = new Uint32Array([held[0], held[0], kept[0], held[1], held[1], kept[1]]);
  const sets = {
    bytes: new Uint8Array(words.buffer),
    get text() {
      return `{effective=${listed(permitted)}, permitted=${listed(permitted)}, inheritable=${listed(inheritable)}}`;
    },
  };
  return step(lane, label, "capset", [header, sets]);
}

/** Nobody may look into us by ptrace(2) or /proc while we hold more than the command (CVE-2016-9962). */
export const undumpable = (lane: Lane, why: string): SyscallStep =>
  step(lane, "not to be traced", "prctl", [PR_SET_DUMPABLE, 0], { why });

/** prctl(PR_CAPBSET_DROP) for all that the container cannot have; inherited by every process that follows. */
export function boundSteps({ process }: ContainerSpec): SyscallStep[] {
  const { bounding } = process.capabilities;
  if (!bounding) return [];
  const [low, high] = mask(bounding);
  const args: Arg[] = [high * 2 ** 32 + low];
  return [
    step(
      "container",
      `bounding set: ${bounding.map((name) => name.slice(4).toLowerCase()).join(" ") || "empty"}`,
      "bound_capabilities",
      args,
      {
        why: "no set-id program and no file capability gives more than this",
      },
    ),
  ];
}

/** no_new_privs: asked for, or what Landlock wants of everybody. */
export const gainsNothing = ({ noNewPrivileges, landlock }: ProcessSpec): boolean => noNewPrivileges || landlock !== undefined;

/** Over the exec, of a user other than root: what was asked for by name. With Landlock alone nobody has any. */
const ambient = ({ uid, capabilities, landlock }: ProcessSpec): readonly string[] =>
  uid === 0 || landlock?.alone ? [] : capabilities.ambient;

/** What the command has: root the bounding set. With Landlock alone nothing, and no_new_privs lets no execve give it back. */
const permitted = (process: ProcessSpec): readonly string[] =>
  process.uid === 0 && !process.landlock?.alone ? (process.capabilities.bounding ?? []) : ambient(process);

/** Without no_new_privs only CAP_SYS_ADMIN may load a filter: it is kept until then. */
const keepsAdmin = (process: ProcessSpec): boolean =>
  !gainsNothing(process) && process.seccomp !== undefined && process.capabilities.bounding !== undefined;

const ambientSteps = (process: ProcessSpec): SyscallStep[] =>
  ambient(process).map((name) =>
    step("payload", `ambient: ${name}`, "prctl", [PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, bit(name), 0, 0]),
  );

const inheritable = (process: ProcessSpec): readonly string[] => ambient(process);

/** The command's ids and capabilities. */
export function privilegeSteps({ process }: ContainerSpec): SyscallStep[] {
  const keeps = keepsAdmin(process);
  const survive = process.uid !== 0 && (keeps || ambient(process).length > 0);
  const held = permitted(process);
  return [
    ...(survive
      ? [step("payload", "keep capabilities over the change of user", "prctl", [PR_SET_KEEPCAPS, 1], { why: "until the exec" })]
      : []),
    ...becomeSteps("payload", process.uid, process.gid, process.groups, process.setgroups),
    undumpable("payload", "a change of ids has set it anew"),
    keeps
      ? capset(
          "payload",
          "capabilities, and one to load the filter",
          [...new Set([...held, "CAP_SYS_ADMIN"])],
          inheritable(process),
        )
      : capset("payload", "capabilities", held, inheritable(process)),
    ...ambientSteps(process),
    ...(process.newKeyring
      ? [
          step("payload", "a session keyring of its own", "keyctl", [KEYCTL_JOIN_SESSION_KEYRING, null], {
            why: "the caller's keys would be there",
          }),
        ]
      : []),
  ];
}

/** The lines of /proc/PID/status that the command's capabilities and no_new_privs make, in its order: proc_pid_status(5). */
export function privilegeLines(process: ProcessSpec): string[] {
  const { bounding } = process.capabilities;
  const held = keepsAdmin(process) ? [...new Set([...permitted(process), "CAP_SYS_ADMIN"])] : permitted(process);
  const line = (name: string, names: readonly string[]) => `${name}:\t${hex(names)}`;
  return [
    line("CapInh", inheritable(process)),
    line("CapPrm", held),
    line("CapEff", held),
    ...(bounding ? [line("CapBnd", bounding)] : []), // of a caller without any it is as it was
    line("CapAmb", ambient(process)),
    ...(gainsNothing(process) ? ["NoNewPrivs:\t1"] : []),
  ];
}

/** Without CAP_SYS_ADMIN the kernel filters and restricts only who can gain nothing by execve. */
export const noNewPrivileges = (lane: Lane): SyscallStep =>
  step(lane, "no new privileges", "prctl", [PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0]);

/** seccomp(2) with struct sock_fprog {unsigned short len; struct sock_filter *filter}. */
function loadFilter(lane: Lane, label: string, base64: string, flags: number): SyscallStep {
  const bytes = Uint8Array.fromBase64(base64);
  const length = bytes.length / 8;
  const program = { words: [length, { bytes, text: "" }], text: `{len=${length}, filter=<filter>}` };
  return step(lane, label, "seccomp", [SECCOMP_SET_MODE_FILTER, flags, program]);
}

/** The last things before the exec. */
export function filterSteps({ process }: ContainerSpec): SyscallStep[] {
  const { seccomp } = process;
  return [
    ...(seccomp ? [loadFilter("payload", "the system call filter", seccomp.filter, seccomp.flags)] : []),
    ...(keepsAdmin(process) ? [capset("payload", "give up the last capability", permitted(process), inheritable(process))] : []),
  ];
}

/** pid 1 keeps what reaping and passing signals on needs, and by one more is out of the command's reach: ptrace(2) wants a subset. */
export function initLockSteps({ process }: ContainerSpec): SyscallStep[] {
  const { seccomp, capabilities } = process;
  return [
    capset("container", "pid 1 keeps what signals need", capabilities.init),
    ...(seccomp
      ? [noNewPrivileges("container"), loadFilter("container", "pid 1's own system call filter", seccomp.init, 0)]
      : []),
    step("container", "may be looked at again", "prctl", [PR_SET_DUMPABLE, 1], { why: "setns by its pidfd asks for it" }),
  ];
}
