/** Groups with limits: that they hold, are seen by others, and are gone at the end, whatever the end. */
import { describe, expect, test } from "bun:test";
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { createGroup } from "../../src/cgroup/index.ts";
import { container, NsrunError, run } from "../../src/index.ts";
import { CHECKOUT, copyOfNsrun, eventually, isRoot, NOBODY, needsRoot, shell, skipReason, temporary, until } from "./helpers.ts";

/** Why there is no group here, in nsrun's own words: then the tests of groups have nothing to test. */
function refusal(): string | undefined {
  try {
    createGroup("probe", { memory: 1 << 26, pids: 100 })[Symbol.dispose]();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
const why = isRoot ? refusal() : undefined;
const reason = skipReason("cgroups", [needsRoot, [why === undefined, why ?? ""]]);

describe.skipIf(reason !== undefined)("a group", () => {
  test("the memory limit kills what is above it, and says how often", async () => {
    using group = createGroup("test", { memory: 32 << 20 });
    const take = (mb: number) => run(`dd bs=${mb}M if=/dev/zero of=/dev/null count=1`, { cgroup: group.directories });
    expect((await take(8)).code).toBe(0);
    expect(group.struck("memory")).toBe(0);
    expect(await take(64)).toMatchObject({ code: 137 });
    expect(group.struck("memory")).toBe(1);
  });

  test("the limit of processes refuses the next fork", async () => {
    using group = createGroup("test", { pids: 5 });
    const { stdout, stderr } = await run("while sleep 60 & do echo $!; done", { cgroup: group.directories, init: false });
    expect([stdout.trim().split("\n").length, stderr]).toEqual([4, expect.stringContaining("can't fork")]);
    expect(group.struck("pids")).toBe(1);
  });

  test("the container, and what joins it, are in it by the word of /proc; nsrun is not", async () => {
    using group = createGroup("test", { pids: 20 });
    await using box = await container({ cgroup: group.directories });
    const name = group.directories[0]!.split("/").at(-1)!;
    expect(readFileSync(`/proc/${box.pid}/cgroup`, "utf8")).toContain(`/${name}\n`);
    expect(readFileSync("/proc/self/cgroup", "utf8")).not.toContain(name);
    // seen from the container's cgroup namespace: a process elsewhere would be in /..
    const joined = await box.exec("cat /proc/self/cgroup; cat /proc/1/cgroup");
    expect(joined.stdout).toContain(":/\n");
    expect(joined.stdout).not.toContain("/..");
  });

  test("its end ends all in it, and leaves no directory", async () => {
    const group = createGroup("test", { pids: 20 });
    const child = Bun.spawn(["sleep", "600"]);
    group.add(child.pid);
    const { directories } = group;
    expect(directories.length).toBeGreaterThan(0);
    group[Symbol.dispose]();
    expect(await child.exited).toBe(137);
    expect(directories.filter((dir) => existsSync(dir))).toEqual([]);
  });

  test("kill -9 of its maker ends all in it as well, and leaves no directory", async () => {
    const script = `const { createGroup } = await import("./src/cgroup/index.ts");
      const group = createGroup("test", { pids: 20 });
      const child = Bun.spawn(["sleep", "600"]);
      group.add(child.pid);
      console.log(JSON.stringify([child.pid, group.directories]) + "\\nready");
      await Bun.sleep(600_000);`;
    const maker = Bun.spawn([process.execPath, "-e", script], { cwd: CHECKOUT, stdout: "pipe" });
    const reader = maker.stdout.getReader();
    let text = "";
    await until(
      {
        read: async () => {
          const part = await reader.read();
          text += new TextDecoder().decode(part.value);
          return part;
        },
      },
      "ready\n",
    );
    const [pid, directories] = JSON.parse(text.split("\n")[0]!) as [number, string[]];
    expect(directories.filter((dir) => !existsSync(dir))).toEqual([]);
    maker.kill("SIGKILL");
    await maker.exited;
    await eventually("the directories to go", () => !directories.some((dir) => existsSync(dir)));
    expect(existsSync(`/proc/${pid}/cmdline`) && readFileSync(`/proc/${pid}/cmdline`, "utf8")).toBeFalsy();
  });

  test("a limit that the kernel refuses is an error that names it, and leaves nothing", async () => {
    expect(() => createGroup("test", { pids: -5 })).toThrow(/^cannot limit pids to -5: \/.*pids\.max: E(INVAL|RANGE)$/);
    expect((await shell(["find", "/sys/fs/cgroup", "-name", "nsrun-test-*"])).stdout).toBe("");
  });
});

const v2 = skipReason("a delegated cgroup", [
  needsRoot,
  [existsSync("/sys/fs/cgroup/cgroup.controllers"), "no cgroup v2 with controllers"],
]);
test.skipIf(v2 !== undefined)(
  "a cgroup that was delegated gives an ordinary user limits, and is empty afterwards",
  async () => {
    using home = temporary();
    chmodSync(home.path, 0o755);
    mkdirSync(home.file("cache"), { mode: 0o700 });
    chownSync(home.file("cache"), 65534, 65534);
    const program = await copyOfNsrun(home);
    const dir = `/sys/fs/cgroup/test-${process.pid}`;
    const script = `mkdir -p ${dir}/leaf && echo "+memory +pids" >${dir}/cgroup.subtree_control && echo $$ >${dir}/leaf/cgroup.procs &&
    chown 65534 ${dir} ${dir}/cgroup.procs ${dir}/cgroup.subtree_control && exec "$@"`;
    const argv = [...NOBODY, "env", `NSRUN_CACHE=${home.file("cache")}`, ...program, "demo", "oom", "fork-bomb", "--json"];
    try {
      const { code, stdout, stderr } = await shell(["sh", "-c", script, "sh", ...argv]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      const { lessons } = JSON.parse(stdout) as { lessons: { status: string }[] };
      expect(lessons.map(({ status }) => status)).toEqual(["as predicted", "as predicted"]);
      expect(
        readdirSync(dir, { withFileTypes: true })
          .filter((entry) => entry.isDirectory())
          .map(({ name }) => name),
      ).toEqual(["leaf"]);
    } finally {
      rmdirSync(`${dir}/leaf`);
      rmdirSync(dir);
    }
  },
  60_000,
);

test.skipIf(isRoot)("without root and delegation the error says why and what would help", () => {
  try {
    createGroup("test", { memory: 1 << 26 })[Symbol.dispose]();
  } catch (error) {
    expect(error).toBeInstanceOf(NsrunError);
    expect(`${(error as Error).message}\n${(error as NsrunError).hint}`).toMatch(
      /^cannot limit memory: .*E[A-Z]+.*\n.*systemd-run/,
    );
  }
});
