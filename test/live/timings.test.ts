/** `--timings`: each step's time, in the plan's numbers, at next to no cost; and nothing of it without. */
import { describe, expect, test } from "bun:test";
import { canRun, isRoot, NSRUN, nsrun, shell, skipReason } from "./helpers.ts";

const skip = skipReason("--timings", [canRun]);

interface Timings {
  version: number;
  unit: string;
  steps: { number: number; lane: string; label: string; us?: number; kind: string; waits: boolean }[];
  totals: Record<string, number>;
  elapsed: number;
}

const timings = async (...words: string[]): Promise<Timings> => {
  const { code, stdout, stderr } = await nsrun(["--timings=json", ...words, "--", "sh", "-c", "echo out; exit 3"]);
  expect([code, stdout]).toEqual([3, "out\n"]);
  return JSON.parse(stderr.split("\n").findLast((line) => line.startsWith("{"))!);
};

const KINDS: Record<string, string[]> = {
  "the default": [],
  "without init": ["--no-init"],
  "a volume, a time namespace": ["-v", "/etc:/x", "--monotonic", "1000000"],
  "the host's pids": ["--share", "pid"],
  ...(isRoot ? { "a veth pair without init": ["--net", "veth", "--no-init"], "a user namespace": ["--unshare", "user"] } : {}),
};

describe.skipIf(skip !== undefined)("--timings", () => {
  for (const [name, words] of Object.entries(KINDS)) {
    test(`of ${name}: the plan's steps, each with a time that can be`, async () => {
      const { version, unit, steps, totals, elapsed } = await timings(...words);
      expect([version, unit]).toEqual([1, "us"]);
      const plan = JSON.parse((await shell([...NSRUN, "run", ...words, "--plan=json", "--", "sh", "-c", "x"])).stdout).steps;
      expect(steps.map((s) => [s.number, s.lane, s.label.replace(/nsr\w+/, "")])).toEqual(
        plan.map((s: { number: number; lane: string; label: string }) => [s.number, s.lane, s.label.replace(/nsr\w+/, "")]),
      );
      // what never ends, what is not reached behind the exec, and the one byte that is no step of the list; and what comes from
      // a process's filter on, which forbids more calls
      const without = steps.filter((s) => s.us === undefined).map((s) => s.label);
      const untimed =
        /^(reap and pass|leave|execute |let the container go on|(the|pid 1's own) system call filter|may be looked at|make sure that there is a filter)/;
      expect(without.filter((label) => !untimed.test(label))).toEqual([]);
      expect(steps.filter((s) => s.us !== undefined && !(s.us >= 0 && s.us < 5e6))).toEqual([]);
      expect(steps.filter((s) => s.kind === "exec" && s.us !== undefined && s.us > 0).length).toBeGreaterThan(0);
      for (const kind of ["clone", "mounts", "exec"]) expect([kind, totals[kind]! > 10]).toEqual([kind, true]);
      expect(elapsed).toBeGreaterThan(totals.exec!);
      // the parent's and one process after the other: no total is far above what has passed
      expect(totals.mounts! + totals.exec!).toBeLessThan(elapsed * 2);
    });
  }

  test("as a table, on stderr, with the totals", async () => {
    const { stdout, stderr, code } = await nsrun(["--timings", "--", "echo", "out"]);
    expect([code, stdout]).toEqual([0, "out\n"]);
    expect(stderr).toMatch(/^ +# lane +µs +step\n/m);
    for (const kind of ["clone", "maps", "network", "mounts", "exec", "elapsed"])
      expect(stderr).toMatch(new RegExp(`^ +${kind} +[0-9.]+`, "m"));
  });

  test("a start that fails says why, and that there are no times", async () => {
    const { code, stderr } = await nsrun(["--timings", "--", "/nonexistent"]);
    expect(code).toBe(127);
    expect(stderr).toMatch(/cannot execute "\/nonexistent": ENOENT/);
  });

  test("a descriptor more or less: the command has none of ours", async () => {
    const { stdout } = await nsrun(["--timings", "--", "sh", "-c", "ls /proc/self/fd | tr '\\n' ' '"]);
    expect(stdout.trim()).toBe("0 1 2 3"); // 3 is ls's own
  });
});
