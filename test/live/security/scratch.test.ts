/** /dev read-only once filled, /tmp and /run of the container's own: seen from outside in mountinfo, tried from inside. */
import { describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { canRun, hold, inside, nsrun, skipReason, smallRoot, temporary, WAIT } from "../helpers.ts";

const reason = skipReason("/dev, /tmp and /run", [canRun]);

/** Options and file system type of the topmost mount at `path`. */
function mountAt(pid: number, path: string): string[] {
  const lines = readFileSync(`/proc/${pid}/mountinfo`, "utf8").trim().split("\n");
  const words = lines.findLast((line) => line.split(" ")[4] === path)?.split(" ") ?? [];
  return [...(words[5] ?? "").split(","), words[words.indexOf("-") + 1] ?? ""];
}

describe.skipIf(reason !== undefined)("by default", () => {
  for (const recipe of ["", "paths"])
    test(`mount flags are the policy's ${recipe}`, async () => {
      process.env.NSRUN_ROOT_RECIPE = recipe;
      await using held = await hold([], WAIT);
      delete process.env.NSRUN_ROOT_RECIPE;
      expect(mountAt(held.pid, "/dev")).toEqual(expect.arrayContaining(["ro", "nosuid", "noexec", "tmpfs"]));
      for (const path of ["/tmp", "/run"])
        expect(mountAt(held.pid, path)).toEqual(expect.arrayContaining(["rw", "nosuid", "nodev", "tmpfs"]));
      expect(mountAt(held.pid, "/dev/shm")).toContain("rw");
    });
  const making =
    "for name in x y; do ln -s /etc /dev/$name; touch /dev/$name; mkdir /dev/$name; done 2>/dev/null; ls /dev/x /dev/y";
  test("nothing can be made in /dev, and its nodes are written all the same", async () => {
    const script = `(${making}) 2>&1 | grep -vc 'No such file'; echo x >/dev/null && echo x >/dev/shm/x && stat -c %a /tmp /run`;
    expect(await inside([], script)).toBe("0\n1777\n755");
  });
  test("with a terminal too, of which /dev/console is made before", async () => {
    const { stdout } = await nsrun([
      "-t",
      "--",
      "sh",
      "-c",
      "echo x >/dev/console && echo console; touch /dev/x || echo refused",
    ]);
    expect(stdout.replaceAll("\r", "")).toMatch(/^x\nconsole\n.*Read-only file system\nrefused\n$/);
  });
  test("what the rootfs has there is not seen, and what is written there not in it", async () => {
    using dir = temporary();
    const root = await smallRoot(dir.file("root"));
    mkdirSync(`${root}/tmp`);
    writeFileSync(`${root}/tmp/theirs`, "");
    symlinkSync(dir.path, `${root}/run`);
    expect(await inside(["--rootfs", root], "ls -A /tmp /run; : >/tmp/x; : >/run/x")).toBe("/run:\n\n/tmp:");
    expect([readdirSync(`${root}/tmp`), readdirSync(dir.path)]).toEqual([["theirs"], ["root"]]);
  });
  test("a read-only root has them to write into", async () => {
    const { stdout } = await nsrun([
      "--read-only",
      "--",
      "sh",
      "-c",
      "echo a >/tmp/x; echo b >/run/x; cat /tmp/x /run/x; touch /etc/x 2>/dev/null || echo no",
    ]);
    expect(stdout).toBe("a\nb\nno\n");
  });
  test("a volume may lie there, by a link of the rootfs as well", async () => {
    using dir = temporary();
    const root = await smallRoot(dir.file("root"));
    mkdirSync(`${root}/var`);
    symlinkSync("/run", `${root}/var/run`);
    mkdirSync(dir.file("volume"));
    writeFileSync(dir.file("volume/file"), "of the volume\n");
    const volumes = ["/var/run/a/b", "/tmp/c", "/dev/d"].flatMap((at) => ["-v", `${dir.file("volume")}:${at}`]);
    expect(await inside(["--rootfs", root, ...volumes], "cat /run/a/b/file /tmp/c/file /dev/d/file")).toBe(
      "of the volume\n".repeat(3).trim(),
    );
  });
});

describe.skipIf(reason !== undefined)("--unmask", () => {
  test("negative control: /dev can be written into", async () => {
    expect(await inside(["--unmask", "/dev"], "ln -s /etc /dev/x && readlink /dev/x")).toBe("/etc");
  });
  test("the rootfs's own /tmp", async () => {
    using dir = temporary();
    const root = await smallRoot(dir.file("root"));
    mkdirSync(`${root}/tmp`);
    writeFileSync(`${root}/tmp/theirs`, "");
    expect(await inside(["--rootfs", root, "--unmask", "/tmp"], "ls /tmp")).toBe("theirs");
  });
});
