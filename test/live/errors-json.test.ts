/** --errors=json: one line of JSON in place of the lines, of documented shape. */
import { describe, expect, test } from "bun:test";
import { canRun, NSRUN, shell, skipReason } from "./helpers.ts";

const reason = skipReason("--errors=json", [canRun]);

async function failing(...args: string[]) {
  const { code, stdout, stderr } = await shell([...NSRUN, "--errors=json", ...args]);
  const [line = "", ...rest] = stderr.split("\n");
  expect({ stdout, rest }).toEqual({ stdout: "", rest: [""] });
  return { code, report: JSON.parse(line) };
}

const NONE = { step: null, call: null, errno: null, code: null };

describe.skipIf(reason !== undefined)("--errors=json", () => {
  test("a mistake of the caller's", async () => {
    expect(await failing("run", "--hostnam", "x", "true")).toEqual({
      code: 125,
      report: {
        ...{ version: 1, message: "unknown option --hostnam", hint: "did you mean --hostname?", exitCode: 125, kind: "usage" },
        ...NONE,
      },
    });
  });
  test("a step of the plan that failed: place, call, errno, hint", async () => {
    const { code, report } = await failing("run", "--mount", "type=bogus,dst=/x", "true");
    expect({ code, report }).toEqual({
      code: 125,
      report: {
        version: 1,
        message: `step ${report.step.index} of ${report.step.total}: mount bogus on /x: ENODEV (no such device)`,
        hint: "this kernel has no file system bogus: modprobe bogus",
        exitCode: 125,
        kind: "system",
        step: { index: report.step.index, total: report.step.total, lane: "container", label: "mount bogus on /x" },
        call: { name: "mount", args: ["bogus", ".", "bogus", 0, null] },
        errno: 19,
        code: "ENODEV",
      },
    });
    expect(report.step.index).toBeGreaterThan(20);
    expect(report.step.total).toBeGreaterThan(report.step.index);
  });
  test("a command that is not there, and one that cannot be executed", async () => {
    const missing = await failing("run", "/no/such");
    expect(missing).toMatchObject({
      code: 127,
      report: { exitCode: 127, code: "ENOENT", call: { name: "execve", args: ["/no/such"] } },
    });
    expect(await failing("run", "/etc")).toMatchObject({
      code: 126,
      report: { exitCode: 126, code: "EACCES", hint: "/etc is a directory" },
    });
  });
  test("other commands, and bare nsrun", async () => {
    expect(await failing("frobnicate")).toMatchObject({ code: 125, report: { kind: "usage" } });
    expect(await failing("--net", "bogus")).toMatchObject({
      code: 125,
      report: { kind: "usage", message: expect.stringMatching(/bogus/) },
    });
  });
  test("stands before everything else; behind it, it is the command's", async () => {
    const late = await shell([...NSRUN, "run", "--errors=json", "true"]);
    expect(late).toEqual({
      code: 125,
      stdout: "",
      stderr: "nsrun: unknown option --errors\nhint: it stands before everything else: nsrun --errors=json run …\n",
    });
    expect(await shell([...NSRUN, "run", "--", "echo", "--errors=json"])).toEqual({
      code: 0,
      stdout: "--errors=json\n",
      stderr: "",
    });
  });
  test("changes nothing of a command that runs", async () => {
    const ran = await shell([...NSRUN, "--errors=json", "run", "--", "sh", "-c", "echo out; echo err >&2; exit 3"]);
    expect(ran).toEqual({ code: 3, stdout: "out\n", stderr: "err\n" });
  });
});
