/**
 * Fail closed, by errno: each system call that sets a container up is made to fail as the kernel may make it fail. One clear
 * line, exit 125, the command has not run, nothing is left; only what the plan declares as harmless may pass.
 */
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { errno } from "../../src/ffi/errno.ts";
import { plan } from "../../src/index.ts";
import { isLoop } from "../../src/plan/call.ts";
import type { SyscallStep } from "../../src/plan/step.ts";
import {
  canRun,
  isRoot,
  marker,
  NSRUN,
  type Outcome,
  SINGLE_ID,
  shell,
  skipReason,
  snapshot,
  TRACED,
  temporary,
  works,
} from "./helpers.ts";

const reason = skipReason("failing calls", [canRun, [works("strace", "-V"), "strace is not installed"]]);
const ERRORS = ["EPERM", "ENOMEM", "ENOSPC", "EMFILE", "EINTR", "EAGAIN"] as const;

/** Calls that are made without a container as well, by Bun for itself: their failing would be Bun's. */
async function callsOfBun(log: string): Promise<Set<string>> {
  await shell(["strace", "-f", "-o", log, ...NSRUN, "run", "--plan", "--", "true"]);
  return new Set(readFileSync(log, "utf8").match(/(?<=^\d+ +)\w+(?=\()/gm));
}

/** The calls of the default plan, and which errnos of theirs are declared harmless at each place where they are made. */
async function callsOfPlan(volume: string): Promise<Map<string, SyscallStep[]>> {
  const maps = isRoot ? {} : { uidMap: [SINGLE_ID[1]], gidMap: [SINGLE_ID[3]] }; // as TRACED
  const made = await plan(["touch", "/v/ran"], { volume: [volume], ...maps });
  const steps = [...made.prepare, ...made.child, ...made.between].filter((step): step is SyscallStep => "call" in step);
  return Map.groupBy(
    steps.filter(({ call }) => !isLoop(call)),
    ({ call }) => call,
  );
}

/** What is wrong with this outcome; undefined: nothing. */
function complaint(call: string, steps: readonly SyscallStep[], code: string, result: Outcome, ran: boolean): string | undefined {
  const harmless = steps.every((step) => step.tolerate === errno(code) || step.soft);
  const [first = "", ...hints] = result.stderr.trimEnd().split("\n");
  const told = result.code === 125 && first.startsWith("nsrun: ") && first.includes(code) && hints.length <= 1;
  const right = harmless ? result.code === 0 && ran && result.stderr === "" : told && !ran && result.stdout === "";
  return right ? undefined : `${call}: ${JSON.stringify(result)}${ran ? ", the command has run" : ""}`;
}

describe.skipIf(reason !== undefined)("a call that sets a container up and fails with", () => {
  for (const code of ERRORS)
    test(code, async () => {
      using dir = temporary();
      const own = await callsOfBun(dir.file("log"));
      // without exit_group the command itself could not end
      const calls = [...(await callsOfPlan(`${dir.path}:/v`))].filter(([call]) => !own.has(call) && call !== "exit_group");
      expect(calls.map(([call]) => call)).toEqual(expect.arrayContaining(["mount", "pivot_root", "capset", "seccomp", "setsid"]));
      const mark = marker();
      const before = await snapshot(mark);
      const options = [...TRACED, "--name", mark, "-v", `${dir.path}:/v`];
      const complaints: (string | undefined)[] = [];
      for (const [call, steps] of calls) {
        const trace = ["strace", "-f", "-o", "/dev/null", "-e", `trace=${call}`, "-e", `inject=${call}:error=${code}`];
        const result = await shell([...trace, ...NSRUN, "run", ...options, "--", "touch", "/v/ran"]);
        complaints.push(complaint(call, steps, code, result, existsSync(dir.file("ran"))));
        rmSync(dir.file("ran"), { force: true });
      }
      expect(complaints.filter(Boolean)).toEqual([]);
      expect(await snapshot(mark)).toEqual(before);
    }, 120_000);
});
