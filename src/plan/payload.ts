/** The command, and the pid 1 that may stand over it. */
import { AT_FDCWD, O, PR, RESOLVE } from "../ffi/flags.ts";
import { limitSteps } from "./identity.ts";
import { landlockSteps } from "./landlock.ts";
import { openHow, step } from "./list.ts";
import { filterSteps, gainsNothing, initLockSteps, noNewPrivileges, privilegeSteps } from "./security.ts";
import type { ContainerSpec } from "./spec.ts";
import { REG, type SyscallStep, slot, strings } from "./step.ts";
import { controllingTerminal } from "./terminal.ts";
import { keepProc, verifyFilter, verifyPrivileges } from "./verify.ts";

const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

function searched(env: readonly string[]): string {
  for (const entry of env) if (entry.startsWith("PATH=")) return entry.slice(5);
  return DEFAULT_PATH;
}

/** Every place where execvp(3) would look for the command. */
export function candidates(command: string, env: readonly string[]): string[] {
  if (command.includes("/")) return [command];
  return searched(env)
    .split(":")
    .map((directory) => `${directory === "" ? "." : directory}/${command}`);
}

/**
 * execve(2) at each place in turn; all but the last may fail, and say so. That it returns is a failure, whatever it returns
 * (a filter can answer 0), and what follows is pid 1's: no result is the exact one.
 */
function execSteps(args: readonly string[], env: readonly string[]): SyscallStep[] {
  const argv = strings(args);
  const envp = strings(env, `[/* ${env.length} vars */]`);
  const places = candidates(args[0]!, env);
  return places.map((path, i) =>
    step("payload", `execute ${path}`, "execve", [path, argv, envp], i < places.length - 1 ? { soft: true } : { exact: true }),
  );
}

/**
 * The working directory: through the root's links, but never through a descriptor in /proc (CVE-2024-21626); and where a
 * directory was moved out of its mount meanwhile, getcwd(2) says that it cannot be reached from the root.
 */
function cwdSteps({ process: { cwd }, root }: ContainerSpec): SyscallStep[] {
  if (cwd === undefined) return [];
  const how = openHow(O.O_PATH | O.O_DIRECTORY | O.O_CLOEXEC, RESOLVE.RESOLVE_NO_MAGICLINKS);
  return [
    step("payload", `change to ${cwd}`, "openat2", [AT_FDCWD, cwd, how, 24], { store: true }),
    step("payload", "enter it", "fchdir", [REG]),
    ...(root ? [step("payload", "make sure that it is inside the root", "rooted", [])] : []),
  ];
}

const emptyMask = { bytes: new Uint8Array(8), text: "[]" };

/** From the finished container to the command. */
export function payloadSteps(spec: ContainerSpec): SyscallStep[] {
  const { process } = spec;
  const dup = process.stdio
    .map((use, fd) =>
      use === "inherit"
        ? []
        : [step("payload", `descriptor ${fd}`, "dup3", [slot(use === "terminal" ? "tty.slave" : `stdio.${fd}`), fd, 0])],
    )
    .flat();
  return [
    step("payload", "a session of its own", "setsid", [], { why: "TIOCSTI cannot reach a terminal of another session" }),
    ...controllingTerminal(spec),
    ...dup,
    ...privilegeSteps(spec),
    step("payload", "die with the parent", "prctl", [PR.PR_SET_PDEATHSIG, 9], { why: "a change of ids has cleared it" }),
    keepProc(),
    step("payload", "close all descriptors below the socket", "close_range", [3, slot("sock-1"), 0], {
      why: "a descriptor of the host must not be reachable through /proc/self/fd (CVE-2024-21626)",
    }),
    step("payload", "close all descriptors above the procfs", "close_range", [slot("sock+2"), -1, 0]),
    step("payload", "close the socket at exec", "fcntl", [slot("sock"), 2 /* F_SETFD */, 1 /* FD_CLOEXEC */]),
    step("payload", "close the procfs at exec", "fcntl", [slot("sock+1"), 2 /* F_SETFD */, 1 /* FD_CLOEXEC */]),
    ...cwdSteps(spec),
    step("payload", "umask 022", "umask", [0o22]),
    ...(gainsNothing(process) ? [noNewPrivileges("payload")] : []),
    ...verifyPrivileges(spec),
    ...landlockSteps(process),
    ...limitSteps(spec), // when no more descriptor is opened: RLIMIT_NOFILE may be lower than the number of any of ours
    step("payload", "unblock all signals", "rt_sigprocmask", [2 /* SIG_SETMASK */, emptyMask, 0, 8]),
    ...filterSteps(spec),
    ...verifyFilter(spec),
    ...execSteps(process.args, process.env),
  ];
}

/** nsrun's pid 1: clone the command (where there is one), forget everything, reap for ever. */
export function initSteps(spec: ContainerSpec, payload: readonly SyscallStep[]): SyscallStep[] {
  const start: SyscallStep[] =
    payload.length > 0
      ? [step("container", "clone the command", "clone", [17, 0, 0, 0, 0], { jump: "init", store: true }), ...payload]
      : [];
  return [
    step("container", "name pid 1", "prctl", [PR.PR_SET_NAME, "nsrun-init"]),
    ...start,
    step("container", "close the standard streams and all below the socket", "close_range", [0, slot("sock-1"), 0], {
      mark: "init",
      why: "a reader of the command's output must see its end",
    }),
    step("container", "close all above the socket", "close_range", [slot("sock+1"), -1, 0]),
    ...initLockSteps(spec),
    ...(payload.length > 0
      ? []
      : [
          step(
            "container",
            "say that the container is ready",
            "sendto",
            [slot("sock"), { bytes: READY, text: "ready" }, 16, 0x4000, 0, 0],
            { exact: true },
          ),
        ]),
    step("container", "reap and pass signals on", "reap", payload.length > 0 ? [REG, 0] : [0, 0]),
  ];
}

/** The record {5, 0, 0, 0}. */
const READY = new Uint8Array(16);
READY[0] = 5;
