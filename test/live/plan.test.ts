/** `--plan` on the command line: it runs nothing, needs no root, colours terminals only, and takes a closed pipe for an end. */
import { describe, expect, test } from "bun:test";
import { copyOfNsrun, NOBODY, NSRUN, nsrun, shell, skipReason, temporary, works } from "./helpers.ts";
import { changing, newProcess } from "./parent-lane.ts";
import { strace } from "./strace.ts";

const isRoot = process.getuid?.() === 0;
const traced = skipReason("--plan under strace", [[works("strace", "-f", "true"), "no strace, or ptrace is forbidden"]]);

test.skipIf(traced !== undefined)("--plan starts no process and mounts nothing anywhere", async () => {
  using dir = temporary();
  await nsrun(["--plan", "--", "true"]); // busybox is in the cache now
  const { calls } = await strace([...NSRUN, "run", "--plan=json", "--", "true"], dir);
  const all = [...calls.values()].flat();
  expect(all.filter(newProcess)).toEqual([]);
  const names = new Set(changing(all).map((call) => call.name));
  // as root it makes detached mounts, which nobody can see, to learn which recipe this kernel knows
  const seen = [...names].filter(
    (name) => !/^(execve|fs(open|config|mount)|open_tree|mount_setattr|mkdirat|mknodat|symlinkat|fchownat)$/.test(name),
  );
  expect(seen).toEqual([]);
  if (!isRoot) expect(names.has("fsopen")).toBe(false);
});

test.skipIf(!isRoot)("an ordinary user gets the plan that would be his", async () => {
  using dir = temporary();
  await shell(["chmod", "711", dir.path]);
  const mine = await copyOfNsrun(dir);
  await shell(["install", "-d", "-o", "65534", "-m", "700", dir.file("cache")]);
  const { code, stdout, stderr } = await shell([...NOBODY, ...mine, "run", "--plan", "--", "true"], {
    cwd: "/",
    env: { NSRUN_CACHE: dir.file("cache"), HOME: dir.file("cache"), BUN_INSTALL_CACHE_DIR: dir.file("cache") },
  });
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toContain("CLONE_NEWUSER");
  expect(stdout).toMatch(/parent +write\(<map>, "0 65534 1\\n", 10\) +write gid_map/);
});

describe("the text", () => {
  test("is 100 columns wide in a pipe, without colours, CI or not", async () => {
    const { stdout, stderr, code } = await nsrun(["--plan", "--verbose", "--", "true"], {
      env: { CI: "1", FORCE_COLOR: "1", NO_COLOR: "" },
    });
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout.split("\n").filter((line) => line.length > 100)).toEqual([]);
    expect(stdout).not.toContain("\x1b");
    expect(stdout).toMatch(/^ *\d+ container fsopen\("proc", FSOPEN_CLOEXEC\)$/m);
    expect(stdout).toMatch(/^ +open a proc: shows the pid namespace of its mounter$/m);
    expect(stdout).toMatch(/^ +fsopen\(2\), proc\(5\)$/m);
  });
  test("of the default fits two screens, and says what is hidden and read-only in one line each", async () => {
    const { stdout } = await nsrun(["--plan", "--", "true"]);
    expect(stdout.split("\n").length).toBeLessThanOrEqual(96);
    expect(stdout.match(/ hide \/proc\S+ … /g)?.length).toBe(1);
    expect(stdout.match(/ read-only \/proc\S+ … /g)?.length).toBe(1);
  });
  test.skipIf(!works("script", "--version"))("is coloured on a terminal, unless NO_COLOR says no", async () => {
    const on = (variable: string) =>
      shell(["script", "-qec", `env -u NO_COLOR ${variable} ${NSRUN.join(" ")} run --plan -- true`, "/dev/null"]);
    expect((await on("A=1")).stdout).toContain("\x1b[32mcontainer\x1b[39m");
    expect((await on("NO_COLOR=1")).stdout).not.toContain("\x1b");
  });
  test("may be cut off by whoever reads it", async () => {
    const { stdout, stderr } = await shell([
      "bash",
      "-c",
      `set -o pipefail; ${NSRUN.join(" ")} run --plan=json -- true | head -1`,
    ]);
    expect([stdout, stderr]).toEqual(["{\n", ""]);
  });
  test("an unknown format is a usage error", async () => {
    expect(await nsrun(["--plan=yaml", "--", "true"])).toEqual({
      code: 125,
      stdout: "",
      stderr: "nsrun: --plan=yaml: expected one of text verbose json sh mermaid oci\n",
    });
  });
  test("the number of a step in an error is its number in the plan", async () => {
    const refused = await nsrun(["--cwd", "/nonexistent", "--", "true"]);
    const number = Number(/step (\d+) of/.exec(refused.stderr)?.[1]);
    const { steps } = JSON.parse((await nsrun(["--plan=json", "--cwd", "/nonexistent", "--", "true"])).stdout);
    expect([steps[number - 1].call.name, steps[number - 1].call.args[1]]).toEqual(["openat2", "/nonexistent"]);
  });
});
