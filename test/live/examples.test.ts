/** The lab scripts of examples/ do what they say. Each runs in a network namespace made for it. */
import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OWN_NET } from "./helpers.ts";

const bun = process.execPath;

function example(name: string, ...args: string[]) {
  const run = Bun.spawnSync([...OWN_NET, bun, `examples/${name}`, ...args], { stderr: "pipe" });
  return { code: run.exitCode, out: run.stdout.toString(), err: run.stderr.toString() };
}

test("a container takes commands, keeps its files between them and reports exit codes", () => {
  expect(example("01-container.ts")).toEqual({
    code: 0,
    out: expect.stringMatching(/^lab, root, pid \d+\nkept between commands\nexit code 3\n$/),
    err: "",
  });
});

test("the article's network example pings both ways and has two interfaces inside", () => {
  expect(example("02-network.ts")).toEqual({
    code: 0,
    out: expect.stringMatching(/^inside: lo eth0@\S+\ncontainer to parent: reply\nparent to container: reply\n$/),
    err: "",
  });
});

test("a rootfs tarball is unpacked once and stays as it was", () => {
  const dir = mkdtempSync(join(tmpdir(), "nsrun-example-"));
  try {
    const pack = `mkdir -p ${dir}/r/bin ${dir}/r/etc && cp "$(command -v busybox)" ${dir}/r/bin/busybox && cd ${dir}/r &&
      for a in sh ls cat echo; do ln -s busybox bin/$a; done && echo from-tar > etc/hostname && tar -czf ../rootfs.tar.gz .`;
    expect(Bun.spawnSync(["sh", "-c", pack]).exitCode).toBe(0);
    const before = Bun.hash(readFileSync(`${dir}/rootfs.tar.gz`));
    const run = Bun.spawnSync([...OWN_NET, bun, "examples/03-rootfs.ts", `${dir}/rootfs.tar.gz`], {
      env: { ...process.env, NSRUN_CACHE: `${dir}/cache` },
    });
    expect(run.stdout.toString()).toMatch(
      /^crw-rw-rw-.*1,\s+3.*\/dev\/null\n.*\/new\nfrom-tar\nin the next container: ls: \/new: No such file/,
    );
    expect(Bun.hash(readFileSync(`${dir}/rootfs.tar.gz`))).toBe(before);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test("every example is under 40 lines", () => {
  for (const file of new Bun.Glob("*.ts").scanSync("examples")) {
    expect(readFileSync(`examples/${file}`, "utf8").split("\n").length).toBeLessThan(40);
  }
});
