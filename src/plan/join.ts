/** The plan of a command that joins a running container: `nsenter -t PID -a`, made by the sealed ELF. */
import { CLONE } from "../ffi/flags.ts";
import { joinCgroup, openCgroup } from "./cgroup.ts";
import { becomeSteps } from "./identity.ts";
import { landlockPrepare } from "./landlock.ts";
import { step } from "./list.ts";
import { payloadSteps } from "./payload.ts";
import { boundSteps, undumpable } from "./security.ts";
import { type ContainerSpec, NAMESPACE_FLAG, NAMESPACES, type ProcessSpec } from "./spec.ts";
import { dieWithStage, ownPidfd, report, stageStart, stageWatch } from "./stage.ts";
import { type Plan, slot } from "./step.ts";
import { callersProc } from "./verify.ts";

/** The namespaces in which the container differs from its caller. */
export function joinFlags(spec: ContainerSpec): number {
  let flags = 0;
  for (const ns of NAMESPACES) if (spec.namespaces[ns].mode !== "share") flags |= NAMESPACE_FLAG[ns];
  return flags;
}

/** Slot "pidfd": the container's pid 1. Slot "root": its root directory, where that was changed by chroot(2) only. */
export function buildJoin(spec: ContainerSpec, process: ProcessSpec): Plan {
  const flags = joinFlags(spec);
  const member: ContainerSpec = { ...spec, process: { ...process, terminal: undefined } };
  const chrooted = spec.root?.chroot
    ? [
        step("container", "go to the container's root", "fchdir", [slot("root")]),
        step("container", "change the root directory", "chroot", ["."]),
      ]
    : [];
  const ownUser = spec.namespaces.user.mode === "new";
  const identity = ownUser ? becomeSteps("container", 0, 0, [], spec.idMaps?.setgroups ?? false) : [];
  return {
    prepare: [callersProc(), ...openCgroup(spec, true), ...landlockPrepare(member)],
    child: [
      ...stageStart(false, false),
      undumpable("stage", "from here on only a host's CAP_SYS_PTRACE may look (CVE-2016-9962)"),
      ...(flags === 0 ? [] : [step("stage", "join the container's namespaces", "setns", [slot("pidfd"), flags])]),
      ...ownPidfd(),
      step("stage", "clone into them", "clone", [CLONE.CLONE_PARENT_SETTID | 17, 0, slot("rec.a"), 0, 0], {
        jump: "watch",
      }),
      ...dieWithStage(),
      ...joinCgroup(spec),
      ...chrooted,
      ...identity,
      undumpable("container", "a change of ids has made it dumpable again"),
      ...boundSteps(member),
      ...payloadSteps(member),
      report(),
      ...stageWatch(false, undefined),
    ],
    between: [],
    waits: false,
  };
}
