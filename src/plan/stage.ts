/** The stage: the first process of the sealed ELF, still in the host's namespaces. It joins, clones, reports, watches. */
import { AT_FDCWD, O, PR } from "../ffi/flags.ts";
import { step } from "./list.ts";
import { type ContainerSpec, NAMESPACE_FLAG, NAMESPACES, type TerminalSpec } from "./spec.ts";
import { REG, type SyscallStep, slot } from "./step.ts";
import { restoreCaller, stageTerminal, watchMode } from "./terminal.ts";

const zeros = (text: string) => ({ bytes: new Uint8Array(32), text });

/** `sweeps`: the stage ends, after the container, whatever else has become its child. */
export function stageStart(sweeps: boolean, terminal: boolean): SyscallStep[] {
  return [
    step("stage", "reset all signal dispositions", "reset_signals", [zeros("SIG_DFL")], {
      why: "an ignored signal stays ignored over exec; SIGCHLD ignored would hide the container's end",
    }),
    // with a terminal the stage stays in the caller's job: only in the foreground may it read, and be stopped like nsrun
    ...(terminal
      ? []
      : [
          step("stage", "a session of its own", "setsid", [], {
            why: "a kill of the caller's process group must not take the watcher first",
          }),
        ]),
    ...(sweeps
      ? [
          step("stage", "adopt the container's orphans", "prctl", [PR.PR_SET_CHILD_SUBREAPER, 1], {
            why: "what no pid namespace ends with the container comes here, and is ended",
          }),
        ]
      : []),
  ];
}

/** setns(2) by path, the user namespace first: it gives the rights for the others. */
export function joinSteps(spec: ContainerSpec): SyscallStep[] {
  const order = ["user", ...NAMESPACES.filter((ns) => ns !== "user" && ns !== "mnt"), "mnt"] as const;
  return order
    .map((ns) => {
      const use = spec.namespaces[ns];
      if (use.mode !== "join") return [];
      const none = { bytes: new Uint8Array(4), text: "[]" };
      const groups = step("stage", "drop the caller's groups", "setgroups", [0, none], {
        ...(spec.privileged ? {} : { tolerate: 1 }),
        why: "they are nobody's inside, and still open files; without privilege they stay (CVE-2014-8989)",
      });
      return [
        ...(ns === "user" ? [groups] : []),
        step("stage", `join the ${ns} namespace ${use.path}`, "setns", [slot(`join.${ns}`), NAMESPACE_FLAG[ns]]),
      ];
    })
    .flat();
}

/** Opened by the parent: after the first setns a path could mean something else. */
export function openJoined(spec: ContainerSpec): SyscallStep[] {
  return NAMESPACES.map((ns) => {
    const use = spec.namespaces[ns];
    if (use.mode !== "join") return [];
    return [
      step("parent", `open the ${ns} namespace ${use.path}`, "openat", [AT_FDCWD, use.path, O.O_RDONLY | O.O_CLOEXEC, 0], {
        store: `join.${ns}`,
      }),
    ];
  }).flat();
}

/** A descriptor of the stage for the container to see whether it lives. Right before the clone. */
export const ownPidfd = (): SyscallStep[] => [
  step("stage", "its own pid", "getpid", [], { store: true }),
  step("stage", "a descriptor of itself", "pidfd_open", [REG, 0], { store: true }),
];

/** The second belt of every container: the first is the stage watching the supervisor. */
export const dieWithStage = (why?: string): SyscallStep[] => [
  step("container", "die with the stage", "prctl", [PR.PR_SET_PDEATHSIG, 9], why === undefined ? {} : { why }),
  step("container", "make sure that the stage lives", "guard", [REG], {
    why: "it may have died before the signal was asked for",
  }),
];

/** The pid that clone wrote into the record, to the supervisor. */
export const report = (): SyscallStep =>
  step("stage", "report the pid", "sendto", [slot("sock"), slot("rec"), 16, 0x4000, 0, 0], {
    mark: "watch",
    tolerate: 32, // EPIPE
    why: "with nobody there to read it the watch is what matters: it ends the container",
  });

/** Keeps nothing open but the socket and, for a terminal, 0 to 2: no reader of a pipe waits for the stage. */
export function stageWatch(
  sweeps: boolean,
  terminal: TerminalSpec | undefined,
  cleanUp: readonly SyscallStep[] = [],
): SyscallStep[] {
  return [
    ...stageTerminal(terminal),
    step("stage", "close all below the socket", "close_range", [terminal ? 3 : 0, slot("sock-1"), 0]),
    step("stage", "close all above the socket", "close_range", [slot("sock+1"), -1, 0]),
    step("stage", "wait for the container or for the supervisor's end", "watch", [watchMode(terminal)]),
    ...restoreCaller(terminal),
    ...(sweeps ? [step("stage", "end the container's orphans", "sweep", ["/proc/thread-self/children"])] : []),
    ...cleanUp,
    step("stage", "leave", "exit_group", [0]),
  ];
}
