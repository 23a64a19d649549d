/** A limit of processes: of every container where cgroup v2 gives one, by name on v1 as well. Seen in the cgroup's own files. */
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createGroup } from "../../src/cgroup/index.ts";
import { container, run } from "../../src/index.ts";
import { eventually, hold, inside, isRoot, NSRUN, needsRoot, nsrun, parentOf, shell, skipReason, WAIT } from "./helpers.ts";

const TOP = "/sys/fs/cgroup";
const read = (path: string): string => (existsSync(path) ? readFileSync(path, "utf8").trim() : "");
/** The directory of a process's v2 cgroup. */
const groupOf = (pid: number): string => TOP + (/^0::(.*)$/m.exec(read(`/proc/${pid}/cgroup`))?.[1] ?? "");
const left = (): string[] =>
  (readdirSync(TOP, { recursive: true }) as string[]).filter((path) => /\/?nsrun-(nsrun|mine)-[0-9]+-[0-9]+$/.test(path));

const noV2 = skipReason("the default limit of processes", [
  needsRoot,
  [read(`${TOP}/cgroup.controllers`).includes("pids"), "no cgroup v2 with the pids controller"],
  [read(`${TOP}/cgroup.subtree_control`).includes("pids"), "the pids controller is not switched on below the top"],
]);

describe.skipIf(noV2 !== undefined)("by default", () => {
  test("a container is born in a cgroup of its own with pids.max, which is gone after it", async () => {
    await using held = await hold(["--name", "mine"], WAIT);
    const dir = groupOf(held.pid);
    expect(dir).toMatch(/\/nsrun-mine-[0-9]+-1$/);
    expect([read(`${dir}/pids.max`), read(`${dir}/pids.current`)]).toEqual(["4096", "2"]); // pid 1 and the shell
    expect(groupOf(held.child.pid)).not.toBe(dir);
    held.child.stdin.end();
    expect(await held.finished()).toMatchObject({ code: 0, stderr: "" });
    expect(left()).toEqual([]);
  });
  test("inside it is the root of the cgroup namespace", async () => {
    expect(await inside([], "grep ^0:: /proc/self/cgroup; grep ^0:: /proc/1/cgroup")).toBe("0::/\n0::/");
  });
  test("a fork bomb stays in it; max is no cgroup at all", async () => {
    const bomb = "n=0; while [ $n -lt 40 ]; do sleep 60 & n=$((n+1)); done 2>/dev/null; echo all";
    expect((await nsrun(["--pids-limit", "20", "--", "sh", "-c", bomb])).stdout).toBe("");
    expect((await nsrun(["--pids-limit", "max", "--", "sh", "-c", bomb])).stdout).toBe("all\n");
    await using held = await hold(["--pids-limit", "max"], WAIT);
    expect(groupOf(held.pid)).toBe(groupOf(process.pid));
  });
  test("kill -9 of nsrun, or of its stage, leaves no directory", async () => {
    for (const victim of ["nsrun", "stage"]) {
      await using held = await hold([], WAIT);
      const dir = groupOf(held.pid);
      expect(existsSync(dir)).toBe(true);
      const stage = parentOf(parentOf(held.pid));
      process.kill(victim === "nsrun" ? held.child.pid : stage, "SIGKILL");
      await eventually(`the end of ${dir} without its ${victim}`, () => !existsSync(dir), 1000);
    }
  });
  test("what joins is in it", async () => {
    await using box = await container();
    const before = Number(read(`${groupOf(box.pid)}/pids.current`));
    const { stdout } = await box.exec("cat /proc/self/cgroup | grep ^0::");
    expect([before, stdout]).toEqual([1, "0::/\n"]);
  });
  test("many at once have one each", async () => {
    const codes = await Promise.all(Array.from({ length: 10 }, () => run(["true"])));
    expect(codes.map(({ code }) => code)).toEqual(Array(10).fill(0));
    expect(left()).toEqual([]);
  });
  test("a start that fails leaves none", async () => {
    expect((await nsrun(["--", "/nowhere"])).code).toBe(127);
    const trace = ["strace", "-f", "-o", "/dev/null", "-e", "inject=pivot_root:error=EPERM"];
    expect((await shell([...trace, ...NSRUN, "run", "true"])).code).toBe(125);
    expect(left()).toEqual([]);
  });
});

/** Why no group can be made here, in nsrun's own words. */
function refusal(): string | undefined {
  try {
    createGroup("probe", { pids: 5 })[Symbol.dispose]();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
const why = isRoot && noV2 !== undefined ? refusal() : undefined;
const reason = skipReason("a limit of processes by name", [
  needsRoot,
  [noV2 !== undefined, "tried above"],
  [why === undefined, why ?? ""],
]);
test.skipIf(reason !== undefined)("--pids-limit on cgroup v1: in a group that is made before, and gone after it", async () => {
  const { code, stdout, stderr } = await nsrun([
    "--name",
    "mine",
    "--pids-limit",
    "5",
    "--",
    "sh",
    "-c",
    "while sleep 60 & do echo x; done",
  ]);
  expect([code, stdout.split("\n").length - 1 < 5, stderr.includes("can't fork")]).toEqual([2, true, true]);
  expect(left()).toEqual([]);
});

for (const value of ["0", "-1", "1000x", "", "4194305", "99999999999999999999"])
  test(`--pids-limit=${value} is one line`, async () => {
    expect(await nsrun([`--pids-limit=${value}`, "--", "true"])).toEqual({
      code: 125,
      stdout: "",
      stderr: `nsrun: --pids-limit ${value}: expected a number from 1 to 4194304, or max\n`,
    });
  });

if (!isRoot) console.log("skip: limits without root need a delegated cgroup: test/live/cgroup.test.ts");
