/** Options become a ContainerSpec: everything checked that can be checked before anything is made. */
import { UsageError } from "../errors.ts";
import { sys } from "../ffi/syscall.ts";
import type { ContainerSpec, IdMaps, ProcessSpec, RootSpec, TerminalSpec } from "../plan/spec.ts";
import { findCaller, idMaps, setgroupsAllowed } from "./caller.ts";
import { hasKeys, hiddenPaths } from "./hidden.ts";
import { propagation, userMounts } from "./mounts.ts";
import { checkName, hostNames } from "./names.ts";
import { checkJoined, namespaceUses } from "./namespaces.ts";
import { network } from "./network.ts";
import type { ContainerOptions } from "./options.ts";
import { sayOutside } from "./outside.ts";
import { limitedPids } from "./pids.ts";
import { environment, limits, seconds } from "./process.ts";
import { security } from "./security.ts";
import type { NetworkDriver, ProgramRunner } from "./slots.ts";
import { openLower, rootSource } from "./source.ts";

async function user(options: ContainerOptions, root: RootSpec | undefined, root_: boolean) {
  if (options.user === undefined) {
    return root_ ? { uid: 0, gid: 0, home: "/root" } : { uid: sys("geteuid"), gid: sys("getegid"), home: "/" };
  }
  const { resolveUser } = await import("../rootfs/accounts.ts");
  const fd = openLower(root?.lower ?? "/");
  try {
    const found = resolveUser(fd, options.user);
    return { ...found, home: found.home ?? "/" };
  } finally {
    if (fd >= 0) sys("close", fd);
  }
}

export interface Complete {
  readonly spec: ContainerSpec;
  readonly release: () => void;
  readonly driver?: NetworkDriver;
  readonly programs?: ProgramRunner;
}

/** What runs the programs that write the maps, where there are some. */
async function programsFor(maps: IdMaps | undefined): Promise<{ programs?: ProgramRunner }> {
  if (!maps?.writers) return {};
  const { runPrograms } = await import("./programs.ts");
  return { programs: runPrograms };
}

/** The working directory, checked; `otherwise` where none is asked for. */
export function workingDirectory(options: Pick<ContainerOptions, "cwd">, otherwise: string | undefined): string | undefined {
  if (options.cwd === undefined) return otherwise;
  if (!options.cwd.startsWith("/")) throw new UsageError(`--cwd ${options.cwd}: expected an absolute path`);
  return options.cwd;
}

const ROOT_OPTIONS = [
  "rootfs",
  "busybox",
  "rw",
  "readOnly",
  "chroot",
  "volume",
  "tmpfs",
  "mount",
  "unmask",
  "propagation",
] as const;

function refuseRootOptions(options: ContainerOptions): void {
  const given = ROOT_OPTIONS.find((key) => {
    const value = options[key];
    return Array.isArray(value) ? value.length > 0 : value !== undefined && value !== false;
  });
  const dashed = given?.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);
  if (given) throw new UsageError(`--${dashed} needs a mount namespace of the container's own`);
}

/** The command's Landlock domain. What the kernel leaves free, and that there is no more than it, is said aloud. */
async function landlock(options: ContainerOptions): Promise<{ landlock?: ProcessSpec["landlock"] }> {
  const alone = options.namespaces === false;
  if (!options.landlock?.length) {
    if (!alone) return {};
    const hint = "such as --landlock rx:/usr --landlock ro:/etc --landlock rw:$PWD";
    throw new UsageError("--no-namespaces needs --landlock rules: nothing else would hold the command", { hint });
  }
  const { landlockRuleset, WEAKER } = await import("../security/landlock.ts");
  const { ruleset, left } = landlockRuleset(options.landlock, alone);
  if (alone) options.say?.(WEAKER);
  if (left.length > 0) options.say?.(`this kernel's Landlock does not restrict ${left.join(", ")}`);
  return { landlock: ruleset };
}

/** What reaches a system call as a C string must not be cut short there. */
export function refuseNul(value: unknown, what: string): void {
  for (const one of Array.isArray(value) ? value : [value])
    if (typeof one === "string" && one.includes("\0")) throw new UsageError(`${what} cannot hold a NUL byte`);
}

/** Checks and completes `options` for `args` (empty: no command). Throws UsageError; nothing stays reserved then. */
export async function completeSpec(
  args: readonly string[],
  options: ContainerOptions,
  stdio: ProcessSpec["stdio"],
  terminal?: TerminalSpec,
): Promise<Complete> {
  const undo: (() => void)[] = [];
  const release = () => {
    for (const step of undo.splice(0).reverse()) step();
  };
  try {
    return { ...(await completed(args, options, stdio, terminal, undo)), release };
  } catch (error) {
    release();
    throw error;
  }
}

/** `undo` receives what gives reservations back. */
async function completed(
  args: readonly string[],
  options: ContainerOptions,
  stdio: ProcessSpec["stdio"],
  terminal: TerminalSpec | undefined,
  undo: (() => void)[],
): Promise<Omit<Complete, "release">> {
  if (args[0] === "") throw new UsageError("the command is empty");
  refuseNul(args, "the command");
  for (const key in options) refuseNul(options[key as keyof ContainerOptions], key);
  const caller = findCaller();
  const uses = namespaceUses(options, caller);
  checkJoined(uses);
  const name = options.name === undefined ? "nsrun" : checkName(options.name);
  const { privileged } = caller;
  const mapped = privileged && uses.user.mode !== "share";
  const ownRoot = uses.mnt.mode === "new";
  if (!ownRoot) refuseRootOptions(options);
  const mounts = userMounts(options, uses);
  const names = hostNames(options, uses.uts.mode === "new", name);
  const ids = uses.user.mode === "new" ? await idMaps(caller, options) : undefined;
  if (ids?.release) undo.push(ids.release);
  const maps = ids?.maps;
  if (mounts.some((m) => m.idmap) && !mapped)
    throw new UsageError("idmap: needs root, and a user namespace of the container's own");
  const cwd = workingDirectory(options, ownRoot ? "/" : undefined); // without a root of its own it is where the caller stands
  const rlimits = limits(options);
  const guards = await security(options, caller, uses.user.mode);
  const hidden = hiddenPaths(options, ownRoot, mounts);
  const timeOffsets = { monotonic: seconds(options.monotonic, "--monotonic"), boottime: seconds(options.boottime, "--boottime") };
  const spread = propagation(options.propagation ?? "private", "--propagation");
  const domain = await landlock(options);
  environment(options, "/"); // a mistake there is told before anything is unpacked
  const root = ownRoot
    ? await rootSource(
        options,
        mounts.map((m) => m.source),
        () => (caller.privileged ? undefined : caller.admin ? idMaps(caller, {}) : ids),
        mapped,
      )
    : undefined;
  const who = await user(options, root, caller.admin || uses.user.mode !== "share");
  if (ids && options.user !== undefined) (await import("../ids/choose.ts")).checkUser(options.user, who, ids);
  sayOutside(options, caller, uses, maps);
  const netPlan = await network(options, uses, name, caller);
  undo.push(netPlan.release);
  const { release: leave, ...groups } = await limitedPids(options, name, uses);
  if (leave) undo.push(leave);
  const spec: ContainerSpec = {
    name,
    namespaces: uses,
    root,
    mounts,
    ...hidden,
    propagation: spread,
    ...names,
    timeOffsets,
    idMaps: maps,
    net: netPlan.net,
    process: {
      args,
      env: environment(options, who.home),
      cwd,
      uid: who.uid,
      gid: who.gid,
      groups: [],
      setgroups: maps ? maps.setgroups : uses.user.mode === "share" && caller.admin && setgroupsAllowed(),
      rlimits,
      ...guards,
      newKeyring: guards.newKeyring && hasKeys(hidden.maskedPaths),
      init: options.init ?? true,
      stdio,
      terminal,
      ...domain,
    },
    ...groups,
    privileged,
  };
  const programs = await programsFor(maps);
  return { spec, ...programs, ...(netPlan.driver ? { driver: netPlan.driver } : {}) };
}
