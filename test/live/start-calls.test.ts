/** What strace sees of a start: Bun's descriptors stay its own, and nobody is woken for what does not matter. */
import { describe, expect, test } from "bun:test";
import { canRun, NSRUN, shell, skipReason, TRACED, temporary, works } from "./helpers.ts";

const reason = skipReason("the calls of a start", [canRun, [works("strace", "-V"), "strace is not installed"]]);

/** The lines of `strace -f` without their pids, by pid, in order of appearance: the first process is Bun. */
async function traced(calls: string, command: string): Promise<string[][]> {
  using dir = temporary();
  const log = dir.file("log");
  const { code, stderr } = await shell([
    "strace",
    "-f",
    "-o",
    log,
    "-e",
    `trace=${calls}`,
    ...NSRUN,
    "run",
    ...TRACED,
    "--",
    command,
  ]);
  if (code !== 0) throw new Error(stderr);
  const processes = new Map<string, string[]>();
  for (const line of (await Bun.file(log).text()).split("\n")) {
    const [, pid, call] = /^(\d+) +(.*)$/.exec(line) ?? [];
    if (pid && call) processes.set(pid, [...(processes.get(pid) ?? []), call]);
  }
  return [...processes.values()];
}

describe.skipIf(reason !== undefined)("a start", () => {
  test("clears close-on-exec in the started process only: no other thread of Bun can let a descriptor slip", async () => {
    const [bun = [], ...others] = await traced("fcntl,execveat", "true");
    const cleared = (lines: readonly string[]) => lines.filter((line) => /F_SETFD, 0\)/.test(line)).length;
    expect(cleared(bun)).toBe(0);
    const stage = others.find((lines) => lines.some((line) => line.startsWith("execveat")))!;
    expect(cleared(stage)).toBeGreaterThan(1);
    expect(stage.findLastIndex((line) => /F_SETFD, 0\)/.test(line))).toBe(
      stage.findIndex((line) => line.startsWith("execveat")) - 1,
    );
  });
  test("says nothing of the places where the command was not found, when it was found in another", async () => {
    const lines = (await traced("execve,sendto", "true")).flat();
    expect(lines.filter((line) => /^execve\(.*ENOENT/.test(line)).length).toBeGreaterThan(2);
    expect(lines.filter((line) => /^sendto\(\d+, "\\4/.test(line))).toEqual([]);
  });
});
