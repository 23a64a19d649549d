/** Death of the supervisor and of what stands between: a container never outlives it. */
import { describe, expect } from "bun:test";
import { CHECKOUT, canRun, eventually, marked, marker, parentOf, shell, skipReason, TRACED, works } from "../helpers.ts";
import { bug, type Target } from "./bug.ts";
import { alive, childrenOf, end, tracee } from "./processes.ts";

const reason = skipReason("death of the supervisor", [canRun]);
const traced = skipReason("what strace sees", [canRun, [works("strace", "-V"), "strace is not installed"]]);
/** The contract is a second, which test/live/signals-kill.test.ts holds to; this must tell "late" from "never" in a slow emulation. */
const WITHIN = 5000;

/** nsrun with a command that sleeps, found by the host by `mark`; all of it is ended by the block, whatever it took part in. */
async function started({ nsrun }: Target, before: readonly string[] = []) {
  const mark = marker();
  const command = [...nsrun, "run", ...TRACED, "--name", mark, "--", "sh", "-c", "echo ready; sleep 600", mark];
  const child = Bun.spawn([...before, ...command], { cwd: CHECKOUT, stdio: ["ignore", "pipe", "ignore"] });
  const of = (pid: number) => marked(mark).filter((one) => parentOf(one) === pid);
  return {
    mark,
    child,
    of,
    ready: () => child.stdout.getReader().read(),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      for (const pid of marked(mark)) end(pid);
      await child.exited;
    },
  };
}
/** "gone", or "alive" when it is still there after the time that the contract gives. */
const fate = (what: () => boolean) =>
  eventually("its end", () => !what(), WITHIN).then(
    () => "gone",
    () => "alive",
  );

describe.skipIf(reason !== undefined)("death of the supervisor", () => {
  bug({
    name: "death of the supervisor: kill -9 of nsrun ends the container",
    without: { rows: ["supervisor watched"] },
    attack: async (target) => {
      await using run = await started(target);
      await run.ready();
      run.child.kill("SIGKILL");
      await run.child.exited;
      return await fate(() => marked(run.mark).length > 0);
    },
    held: "gone",
    open: "alive",
  });
  // nsrun stands still meanwhile: it would end the container itself, since the stage's end is a hang-up
  bug({
    name: "death of the stage: kill -9 of it ends the container without nsrun's help",
    without: { rows: ["parent death signal"] },
    attack: async (target) => {
      await using run = await started(target);
      await run.ready();
      const [stage = 0] = run.of(run.child.pid);
      const [init = 0] = run.of(stage);
      expect(Math.min(stage, init)).toBeGreaterThan(1);
      run.child.kill("SIGSTOP");
      process.kill(stage, "SIGKILL");
      return await fate(() => alive(init));
    },
    held: "gone",
    open: "alive",
  });
  // strace holds the container's first process before its first prctl(2), which asks for the signal: too late, for the stage is dead
  bug({
    name: "death of the stage: before the container has asked to die with it",
    skip: traced,
    without: { rows: ["guarded signal"] },
    attack: async (target) => {
      const late = [
        "strace",
        "-f",
        "-qqq",
        "-o",
        "/dev/null",
        "-e",
        "trace=prctl",
        "-e",
        "inject=prctl:delay_enter=1500000:when=1",
      ];
      await using run = await started(target, late);
      const nsrun = await eventually("nsrun", () => tracee(run.child.pid), 60_000);
      const stage = await eventually("the stage", () => run.of(nsrun)[0], 60_000);
      const first = await eventually("the container", () => run.of(stage)[0], 60_000);
      process.kill(stage, "SIGKILL");
      return await eventually("its end", () => !alive(first), 1500 + WITHIN).then(
        () => "gone",
        () => "alive",
      );
    },
    held: "gone",
    open: "alive",
  });
});

describe.skipIf(reason !== undefined)("orphans", () => {
  bug({
    name: "death of the supervisor: what the command leaves behind in a shared pid namespace ends with it",
    without: { rows: ["orphans adopted"] },
    attack: async ({ nsrun }) => {
      const mark = marker();
      // it says that it runs before the command ends; a cgroup of the container's own would end it as well
      const script = "{ setsid sh -c 'echo up; exec >/dev/null 2>&1; sleep 600; :' $0 & } | read _; exit 5";
      const left = () => marked(mark).filter(alive);
      const { code } = await shell([...nsrun, "run", "--share", "pid", "--pids-limit", "max", "--", "sh", "-c", script, mark]);
      const result = [code, left().length > 0];
      for (const pid of left()) for (const one of [pid, ...childrenOf(pid)]) end(one);
      return result;
    },
    held: [5, false],
    open: [5, true],
  });
});
