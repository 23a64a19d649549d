/** buildPlan: a ContainerSpec becomes the list of system calls that make it. Pure: no descriptor is touched. */
import { CLONE, O } from "../ffi/flags.ts";
import { byteLength } from "../ffi/text.ts";
import { cgroupFlags, cloneContainer, enterCgroup, makeGroup, openCgroup, removeGroup } from "./cgroup.ts";
import { readOnlyDev } from "./dev.ts";
import { enterRoot, isolate } from "./enter.ts";
import { becomeSteps, idMapSteps, raiseSteps, timeSteps } from "./identity.ts";
import { idmapSteps } from "./idmap.ts";
import { landlockPrepare } from "./landlock.ts";
import { placeholder, step } from "./list.ts";
import { stageSysfs } from "./masks.ts";
import { mountSteps } from "./mounts.ts";
import { loopbackUp, networkSteps, removeLinkSteps } from "./network.ts";
import { initSteps, payloadSteps } from "./payload.ts";
import { rootSteps } from "./root.ts";
import { boundSteps, undumpable } from "./security.ts";
import { type ContainerSpec, NAMESPACE_FLAG, NAMESPACES, type Recipe } from "./spec.ts";
import { dieWithStage, joinSteps, openJoined, ownPidfd, report, stageStart, stageWatch } from "./stage.ts";
import { isStaged, stagedAfter, stagedBefore, stagedUnshare, stagedWait } from "./staged.ts";
import { type Plan, REG, type SyscallStep, slot } from "./step.ts";
import { terminalPrepare, terminalSteps } from "./terminal.ts";
import { uplinkReady, uplinkSteps } from "./uplink.ts";
import { callersProc } from "./verify.ts";

/** The CLONE_NEW* flags of the namespaces that are new. A time namespace cannot be had by clone(2). */
export function cloneFlags(spec: ContainerSpec): number {
  let flags = 0;
  for (const ns of NAMESPACES) if (ns !== "time" && spec.namespaces[ns].mode === "new") flags |= NAMESPACE_FLAG[ns];
  return flags & ~cgroupFlags(spec);
}

const F_DUPFD_CLOEXEC = 1030;

/** read(go): a hang-up or anything but one byte ends the container. */
const waitForGo = (): SyscallStep =>
  step("container", "wait for the parent's go", "read", [slot("sock"), { bytes: new Uint8Array(8), text: '"g"' }, 1], {
    exact: true,
  });

function hostNames(spec: ContainerSpec): SyscallStep[] {
  return [
    ...(spec.hostname === undefined
      ? []
      : [step("container", `host name ${spec.hostname}`, "sethostname", [spec.hostname, byteLength(spec.hostname)])]),
    ...(spec.domainname === undefined
      ? []
      : [step("container", `domain name ${spec.domainname}`, "setdomainname", [spec.domainname, byteLength(spec.domainname)])]),
  ];
}

/** In its user namespace, but before a change of ids takes /proc/self from it. The register keeps the stage's descriptor. */
function clocks(spec: ContainerSpec): SyscallStep[] {
  const steps = timeSteps(spec, "container");
  if (steps.length === 0) return [];
  return [
    step("container", "keep the stage's descriptor by number", "dup3", [REG, slot("stage"), O.O_CLOEXEC]),
    ...steps,
    step("container", "and have it back", "fcntl", [slot("stage"), F_DUPFD_CLOEXEC, 3], { store: true }),
  ];
}

/** The container's own steps up to the point where its process may begin. */
function containerSteps(spec: ContainerSpec, recipe: Recipe, waits: boolean): { prepare: SyscallStep[]; steps: SyscallStep[] } {
  const ownUser = spec.namespaces.user.mode === "new";
  const staged = isStaged(spec, recipe);
  const clocked = ownUser && spec.namespaces.time.mode === "new";
  const root = spec.root ? rootSteps(spec, spec.root, recipe) : { prepare: [], container: [] };
  const mounts = spec.root ? mountSteps(spec, recipe) : { prepare: [], container: [] };
  const identity = ownUser
    ? [
        ...becomeSteps("container", 0, 0, [], spec.idMaps?.setgroups ?? false), // what follows is made by, and so belongs to, root inside
        ...dieWithStage("a change of ids has cleared it"),
      ]
    : spec.namespaces.user.mode === "join"
      ? [...becomeSteps("container", 0, 0, [], false), ...dieWithStage("a change of ids has cleared it")]
      : [];
  return {
    prepare: [
      ...(spec.root || spec.process.args.length === 0 ? [] : [callersProc()]),
      ...openJoined(spec),
      ...openCgroup(spec),
      ...(clocked ? [placeholder("stage")] : []),
      ...root.prepare,
      ...mounts.prepare,
      ...terminalPrepare(spec),
      ...landlockPrepare(spec),
    ],
    steps: [
      ...dieWithStage(),
      ...enterCgroup(spec),
      step("container", "modes as given", "umask", [0]),
      ...(waits && ownUser ? [staged ? stagedWait() : waitForGo()] : []),
      ...(ownUser ? clocks(spec) : []),
      ...identity,
      ...(staged ? [stagedUnshare()] : []),
      ...(spec.namespaces.mnt.mode === "new" ? [isolate()] : []),
      ...root.container,
      ...mounts.container,
      ...terminalSteps(spec),
      ...readOnlyDev(spec),
      ...hostNames(spec),
      ...(spec.namespaces.net.mode === "new" ? loopbackUp() : []),
      ...(waits && !ownUser ? [waitForGo()] : []),
      ...uplinkReady(spec),
      undumpable("container", "whoever is in a joined pid namespace sees us"), // nobody outside looks into /proc/PID from here on
      ...(spec.root ? enterRoot(spec, spec.root) : []),
    ],
  };
}

/** The plan of a container. `recipe` is how its root is made, where there is a choice. */
export function buildPlan(spec: ContainerSpec, recipe: Recipe = "detached"): Plan {
  const uplink = uplinkSteps(spec);
  const owners = idmapSteps(spec, recipe);
  const between = [...idMapSteps(spec), ...owners.between, ...networkSteps(spec), ...uplink.between];
  const waits = between.length > 0;
  const container = containerSteps(spec, recipe, waits);
  const staged = spec.root && isStaged(spec, recipe) ? stagedAfter(spec, spec.root) : [];
  const flags = cloneFlags(spec) & ~(staged.length > 0 ? CLONE.CLONE_NEWNS : 0);
  const { init, args } = spec.process;
  const ownPid = spec.namespaces.pid.mode === "new";
  const sweeps = !ownPid || spec.net.mode === "pasta"; // what else the stage has for children ends with the container
  const payload = args.length > 0 ? payloadSteps(spec) : [];
  return {
    prepare: [...container.prepare, ...owners.prepare, ...uplink.prepare],
    child: [
      ...stageStart(sweeps, spec.process.terminal !== undefined),
      ...makeGroup(spec),
      ...uplink.child,
      ...raiseSteps(spec),
      ...joinSteps(spec),
      ...stageSysfs(spec),
      ...(spec.namespaces.user.mode === "new" ? [] : timeSteps(spec, "stage")),
      ...(staged.length > 0 ? stagedBefore() : []),
      ...ownPidfd(),
      cloneContainer(spec, flags),
      ...container.steps,
      ...boundSteps(spec),
      ...(init ? initSteps(spec, payload) : payload),
      report(),
      ...staged,
      ...stageWatch(sweeps, spec.process.terminal, [...removeLinkSteps(spec), ...uplink.removal, ...removeGroup(spec)]),
    ],
    between,
    waits,
  };
}
