/**
 * `--plan` is the truth: of twenty kinds of container and more, each child's calls from its clone to its exec or end are its
 * lane of the plan, in order and with their arguments, and what the parent changes outside of itself is the parent's lane.
 */
import { describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { landlockAbi } from "../../src/security/landlock.ts";
import { canRun, isRoot, NSRUN, shell, skipReason, smallRoot, type Temporary, temporary, works } from "./helpers.ts";
import { type Bindings, type JsonStep, matchLane } from "./lanes.ts";
import { changing, changingSteps, matchParent, newProcess } from "./parent-lane.ts";
import { type Call, strace, type Trace } from "./strace.ts";

const skip = skipReason("the plan against strace", [
  canRun,
  [works("strace", "-f", "true"), "no strace, or ptrace is forbidden"],
]);

interface Kind {
  readonly options: (dir: Temporary) => readonly string[];
  readonly root?: true;
  readonly env?: Record<string, string>;
  readonly needs?: boolean;
  /** It has maps of its own. */
  readonly mapped?: true;
}
const kind = (...options: string[]): Kind => ({ options: () => options });
/** newuidmap and newgidmap are setuid programs, which ptrace(2) makes powerless: an ordinary user maps the own id alone. */
const OWN_ID = ["--uid-map", `0:${process.getuid?.()}`, "--gid-map", `0:${process.getgid?.()}`];

const KINDS: Readonly<Record<string, Kind>> = {
  "the default": kind(),
  "without init": kind("--no-init"),
  "the host's network": kind("--net", "host"),
  "a veth pair": { ...kind("--net", "veth", "--ip", "10.77.1.2/24", "--host-ip", "10.77.1.1/24"), root: true },
  "a veth pair, no gateway, no init": { ...kind("--net", "veth", "--gateway", "none", "--no-init"), root: true },
  "the host's pids": kind("--share", "pid"),
  "the host's mounts": kind("--share", "mnt"),
  "the host's uts and ipc": kind("--share", "uts,ipc"),
  "a directory, written in place": { options: (dir) => ["--rootfs", dir.file("root"), "--rw"] },
  "a directory, read-only": { options: (dir) => ["--rootfs", dir.file("root"), "--read-only"] },
  "the host's root": { ...kind("--rootfs", "host"), root: true },
  chroot: kind("--chroot"),
  "a tmpfs": kind("--tmpfs", "/tmp:size=1m", "--mount", "type=tmpfs,dst=/a/b"),
  "a volume": { options: (dir) => ["-v", `${dir.file("root")}:/x/y:ro,nosuid`] },
  "a file as volume": { options: (dir) => ["-v", `${dir.file("file")}:/etc/file:slave`] },
  "another user": { ...kind("--user", "1:1"), root: true },
  "another user with a capability": { ...kind("--user", "1:1", "--cap-add", "net_raw"), root: true },
  "new privileges, another user with a capability": {
    ...kind("--new-privileges", "--user", "1:1", "--cap-add", "net_raw,sys_ptrace"),
    root: true,
  },
  "nothing hidden, no filter, the caller's keys": kind("--unmask", "all", "--seccomp", "none", "--no-new-keyring"),
  Landlock: { ...kind("--landlock", "rx:/", "--landlock", "rwx:/tmp"), needs: landlockAbi() >= 5 }, // all rights of files
  limits: kind("--ulimit", "nofile=64:128", "--ulimit", "core=0"),
  "a time namespace": kind("--monotonic", "60", "--boottime", "5"),
  "a user namespace": { ...kind("--unshare", "user"), root: true },
  "maps by hand": { ...(isRoot ? kind("--uid-map", "0:1000000000:65536") : kind(...OWN_ID)), mapped: true },
  names: kind("--hostname", "a", "--domainname", "b.example"),
  "a joined namespace": {
    ...kind("--join", `uts=/proc/${process.pid}/ns/uts`, "--join", `ipc=/proc/${process.pid}/ns/ipc`),
    root: true,
  },
  "a joined network": { ...kind("--net", `ns:/proc/${process.pid}/ns/net`), root: true },
  "a terminal": kind("-t"),
  "by paths": { ...kind(), env: { NSRUN_ROOT_RECIPE: "paths" } },
  staged: { options: (dir) => ["-v", `${dir.path}:/v`], env: { NSRUN_ROOT_RECIPE: "staged" }, root: true },
  "staged, with a pair": { ...kind("--net", "veth"), env: { NSRUN_ROOT_RECIPE: "staged" }, root: true },
  "staged, written in place": {
    options: (dir) => ["--rw", "--rootfs", dir.file("root")],
    env: { NSRUN_ROOT_RECIPE: "staged" },
    root: true,
  },
  propagation: kind("--propagation", "rslave"),
  "environment and directory": kind("-e", "A=1 2", "--cwd", "/tmp"),
  pasta: { ...kind("--net", "pasta"), root: true, needs: works("pasta", "--version") && works("test", "-w", "/dev/net/tun") },
};

/** Who is who: the stage by its first call, its children by what their clone returned, the command by its first call. */
function roles(trace: Trace, hasUplink: boolean) {
  const all = [...trace.calls];
  const threads = new Set([trace.first]);
  for (const pid of threads) {
    const made = trace.calls.get(pid)!.filter((call) => call.args.join().includes("CLONE_THREAD"));
    for (const call of made) threads.add(Number(call.result));
  }
  const begins = (calls: readonly Call[]) =>
    calls.findIndex((call) => call.name === "execveat" && call.args[2]?.startsWith('["nsrun-init"'));
  const [, whole] = all.find(([, calls]) => begins(calls) >= 0)!;
  const stage = whole.slice(begins(whole) + 1);
  const children = stage.filter(newProcess).map((call) => Number(call.result));
  const container = children.at(-1)!;
  const payload = all.find(([pid, calls]) => pid > container && !children.includes(pid) && calls[0]?.name === "setsid");
  return {
    parents: all.filter(([pid]) => threads.has(pid)).flatMap(([, calls]) => calls),
    stage,
    uplink: hasUplink ? trace.calls.get(children[0]!) : undefined,
    container: trace.calls.get(container)!,
    payload: payload?.[1],
  };
}

/** Runs one and compares; `lie` changes the plan before. */
async function check(one: Kind, lie = (steps: JsonStep[]) => steps): Promise<void> {
  using dir = temporary();
  mkdirSync(dir.file("root"));
  await smallRoot(dir.file("root"));
  writeFileSync(dir.file("file"), "x");
  const options = [...(isRoot || one.mapped ? [] : OWN_ID), ...one.options(dir)];
  const planned = await shell([...NSRUN, "run", ...options, "--plan=json", "--", "true"], { env: one.env ?? {} });
  if (planned.code !== 0) throw new Error(planned.stderr);
  const steps = lie((JSON.parse(planned.stdout) as { steps: JsonStep[] }).steps);
  const lane = (name: string) => steps.filter((step) => step.lane === name);
  // on a kernel before 6.6 a start without this begins twice, the first time in vain: recipe.ts
  const recipe = steps.some(({ label }) => label === "give /dev to root inside") ? { NSRUN_ROOT_RECIPE: "staged" } : {};
  const trace = await strace([...NSRUN, "run", ...options, "--", "true"], dir, { ...one.env, ...recipe });
  const who = roles(trace, lane("uplink").length > 0);

  const bindings: Bindings = new Map();
  const parents = changing(who.parents);
  expect(parents.shift()?.name).toBe("execve"); // strace's own start of nsrun
  matchParent(changingSteps(lane("parent")), parents, bindings);
  expect(parents).toEqual([]);

  const mine = () => new Map([...bindings].filter(([name]) => name !== "result"));
  expect(matchLane(lane("stage"), who.stage, mine())).toBe(who.stage.length);
  if (who.uplink) matchLane(lane("uplink"), who.uplink, mine());
  const inside = mine();
  if (!who.payload) {
    matchLane([...lane("container"), ...lane("payload")], who.container, inside);
    return;
  }
  expect(matchLane(lane("container"), who.container, inside)).toBe(who.container.length);
  matchLane(lane("payload"), who.payload, new Map([...inside].filter(([name]) => name !== "result")));
}

describe.skipIf(skip !== undefined)("the plan is what is done", () => {
  for (const [name, one] of Object.entries(KINDS)) {
    const left = one.root && !isRoot ? "needs root" : one.needs === false ? "not on this machine" : undefined;
    if (left) console.log(`skip: the plan of ${name}: ${left}`);
    test.skipIf(left !== undefined)(name, () => check(one));
  }
});

const edit = (steps: JsonStep[], call: string, change: (step: JsonStep) => JsonStep[]) => {
  const at = steps.findLastIndex((step) => step.call.name === call);
  return steps.toSpliced(at, 1, ...change(steps[at]!));
};

describe.skipIf(skip !== undefined)("a lie is found:", () => {
  const lies: Record<string, (steps: JsonStep[]) => JsonStep[]> = {
    "a step that is not in the plan": (steps) => edit(steps, "umount2", () => []),
    "a step that is in the plan only": (steps) => edit(steps, "sethostname", (step) => [step, step]),
    "another flag": (steps) => edit(steps, "mount", (step) => [{ ...step, text: step.text.replace("MS_NODEV", "MS_RDONLY") }]),
    "another order": (steps) =>
      edit(
        edit(steps, "setresgid", () => []),
        "setresuid",
        (step) => [step, steps.find((s) => s.call.name === "setresgid")!],
      ),
    // before the process is not to be traced, so that an ordinary user's strace sees it too
    "another argument": (steps) => edit(steps, "sethostname", (step) => [{ ...step, text: 'sethostname("other", 5)' }]),
    "a step of the parent that is not in the plan": (steps) => edit(steps, "start", () => []),
  };
  for (const [name, lie] of Object.entries(lies)) {
    test(name, async () => {
      await expect(check(kind(), lie)).rejects.toThrow(/^planned |toBe|toEqual/);
    });
  }
});
