/** `nsrun cache`: what a running container uses is not removed. */
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { canRun, NSRUN, nsrun, shell, skipReason, smallRoot, temporary, works } from "./helpers.ts";

const reason = skipReason("the cache and running containers", [canRun, [works("busybox", "true"), "no busybox"]]);

describe.skipIf(reason !== undefined)("nsrun cache", () => {
  test("keeps what a running container is on, until nsrun is gone, even by kill -9", async () => {
    using dir = temporary();
    await smallRoot(dir.file("tree"));
    expect((await shell(["tar", "-C", dir.file("tree"), "-cf", dir.file("root.tar"), "."])).code).toBe(0);
    const env = { NSRUN_CACHE: dir.file("cache") };
    const child = Bun.spawn([...NSRUN, "run", "--rootfs", dir.file("root.tar"), "--", "sh", "-c", "echo up; sleep 1000"], {
      env: { ...process.env, ...env },
      stdout: "pipe",
    });
    await child.stdout.getReader().read();
    const listed = JSON.parse((await shell([...NSRUN, "cache", "list", "--json"], { env })).stdout);
    expect(listed).toMatchObject([{ kind: "archive", inUse: true }]);
    expect(listed[0].bytes).toBeGreaterThan(500_000);
    const kept = await shell([...NSRUN, "cache", "prune"], { env });
    expect(kept).toEqual({ code: 0, stdout: "", stderr: "nsrun: 0 removed, 0 B; 1 in use\n" });
    expect(existsSync(`${listed[0].path}/bin/busybox`)).toBe(true);
    child.kill("SIGKILL");
    await child.exited;
    const pruned = await shell([...NSRUN, "cache", "prune", "--older-than", "0"], { env });
    expect(pruned).toMatchObject({ code: 0, stdout: expect.stringMatching(/^rootfs-[0-9a-f]{64} +[0-9.]+ MiB {2}20/) });
    expect(readdirSync(dir.file("cache"))).toEqual([]);
  });

  test("run refuses an archive over a limit, and keeps nothing of it", async () => {
    using dir = temporary();
    await smallRoot(dir.file("tree"));
    await shell(["tar", "-C", dir.file("tree"), "-cf", dir.file("root.tar"), "."]);
    const env = { NSRUN_CACHE: dir.file("cache") };
    const limited = await nsrun(["--rootfs", dir.file("root.tar"), "--max-size", "100k", "--", "true"], { env });
    expect(limited).toEqual({
      code: 125,
      stdout: "",
      stderr: `nsrun: ${dir.file("root.tar")}: more than 102400 bytes (entry ./bin/busybox)\nhint: --max-size moves this limit\n`,
    });
    expect(readdirSync(dir.file("cache")).filter((name) => !name.startsWith("memo-"))).toEqual([]);
    const useless = await nsrun(["--rootfs", dir.file("tree"), "--max-entries", "5", "--", "true"], { env });
    expect(useless).toEqual({ code: 125, stdout: "", stderr: "nsrun: --max-entries needs --rootfs with an archive\n" });
  });

  test("says what is wrong, and makes no cache by looking", async () => {
    using dir = temporary();
    const env = { NSRUN_CACHE: dir.file("cache") };
    const words = async (...args: string[]) => await shell([...NSRUN, "cache", ...args], { env });
    expect(await words("list")).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(await words("prune")).toEqual({ code: 0, stdout: "", stderr: "nsrun: 0 removed, 0 B\n" });
    expect(existsSync(dir.file("cache"))).toBe(false);
    const wrong = await words("prune", "--older-than", "1d");
    expect(wrong).toEqual({ code: 125, stdout: "", stderr: "nsrun: --older-than 1d: expected a number of days\n" });
    expect((await words("lists")).stderr).toBe("nsrun: no such command: cache lists\nhint: did you mean cache list?\n");
    writeFileSync(dir.file("cache"), "");
    expect((await words("list")).stderr).toContain("is not a directory");
  });
});
