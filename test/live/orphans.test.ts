/** A container that shares the caller's pid namespace leaves none of its processes there. */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { canRun, eventually, NSRUN, skipReason } from "./helpers.ts";

const reason = skipReason("orphans of a shared pid namespace", [canRun]);

/** The processes that sleep for `seconds`: a number that nobody else uses. */
function sleepers(seconds: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").includes(seconds);
    } catch {
      return false; // it has ended meanwhile
    }
  });
}

let count = 0;
const unique = (): string => `9${process.pid}${++count}`;

describe.skipIf(reason !== undefined)("with --share pid", () => {
  test("what the command leaves behind ends with it, also in sessions of their own", () => {
    const seconds = unique();
    const script = `sleep ${seconds} >/dev/null 2>&1 & setsid sleep ${seconds} >/dev/null 2>&1 & (sleep ${seconds} >/dev/null 2>&1 &) ; exit 5`;
    const run = Bun.spawnSync([...NSRUN, "run", "--share", "pid", "--", "sh", "-c", script]);
    expect(run.exitCode).toBe(5);
    expect(sleepers(seconds)).toEqual([]);
  });

  test("kill -9 of nsrun ends them as well", async () => {
    const seconds = unique();
    const script = `setsid sleep ${seconds} & echo ready; sleep ${seconds}`;
    const child = Bun.spawn([...NSRUN, "run", "--share", "pid", "--", "sh", "-c", script], { stdout: "pipe" });
    await child.stdout.getReader().read();
    child.kill("SIGKILL");
    await child.exited;
    await eventually("the end of all sleepers", () => sleepers(seconds).length === 0, 1000);
  });
});
