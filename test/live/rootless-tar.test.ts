/** An archive with foreign owners, unpacked by an ordinary user: kept within his range, told once where not. Witness: stat on the host. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, linkSync, lstatSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { NSRUN, needsRoot, shell, skipReason, smallRoot, works } from "./helpers.ts";
import { TestUser, UID, type UserFiles } from "./user.ts";

const reason = skipReason("archives with owners, rootless", [
  needsRoot,
  [works("sh", "-c", "command -v newuidmap newgidmap"), "newuidmap is missing (Debian's package uidmap)"],
]);

let user: TestUser;
const NONE: UserFiles = { subuid: "" };

beforeAll(async () => {
  if (reason !== undefined) return;
  user = await TestUser.make();
  const { home } = user;
  const root = await smallRoot(home.file("tree"));
  mkdirSync(`${root}/secret`);
  writeFileSync(`${root}/secret/\xe4 name`, "s");
  writeFileSync(`${root}/suid`, "x");
  linkSync(`${root}/suid`, `${root}/twin`);
  symlinkSync("/nowhere", `${root}/link`);
  writeFileSync(`${root}/far`, "f");
  const script = `cd ${root} && chown 33:34 suid && chmod 6751 suid && chown -h 5:6 link && chown -R 1000:1000 secret &&
    chmod 700 secret && chmod 600 secret/* && chown 99999:0 far && mknod null c 1 3 && tar -cf ../owners.tar . && chmod 644 ../owners.tar`;
  expect(await shell(["sh", "-c", script])).toEqual({ code: 0, stdout: "", stderr: "" });
});
afterAll(() => user?.[Symbol.dispose]());

const cached = (): string[] =>
  readdirSync(user.home.file("cache"))
    .filter((name) => name.startsWith("rootfs-"))
    .map((name) => user.home.file(`cache/${name}`));

const LIST = "stat -c '%n %u:%g %a' suid twin secret secret/*; stat -c '%u:%g' link far; id -u";
const list = (files: UserFiles = {}) => user.run(["--rootfs", user.home.file("owners.tar"), "--", "sh", "-c", LIST], files);

describe.skipIf(reason !== undefined)("an archive with foreign owners", () => {
  test("keeps those of the range with their set-id bits; the rest and the device are told once", async () => {
    const { code, stdout, stderr } = await list();
    expect({ code, lines: stdout.split("\n") }).toEqual({
      code: 0,
      lines: [
        "suid 33:34 6751",
        "twin 33:34 6751",
        "secret 1000:1000 700",
        "secret/\xe4 name 1000:1000 600",
        "5:6",
        "0:0",
        "0",
        "",
      ],
    });
    expect(stderr).toMatch(
      /^nsrun: \S*owners\.tar: 1 owners not kept \(their ids are not mapped\), 1 device nodes left out \(the container has its own \/dev\)\n$/,
    );
    const [dir = "", ...more] = cached();
    expect(more).toEqual([]);
    const owner = (name: string) => [lstatSync(`${dir}/${name}`).uid, lstatSync(`${dir}/${name}`).gid];
    expect([owner("suid"), owner("link"), owner("far"), owner("bin")]).toEqual([
      [200032, 500033],
      [200004, 500005],
      [UID, UID],
      [UID, UID],
    ]);
    expect((await list()).stderr).toBe("");
  });
  test("without a range all is his own, in a tree of its own, and he is told why", async () => {
    const { code, stdout, stderr } = await list(NONE);
    expect({ code, owners: stdout.split("\n")[0] }).toEqual({ code: 0, owners: "suid 0:0 6751" });
    expect(stderr).toMatch(
      /: 5 owners not kept \(\/etc\/subuid grants \S+ no ids\), 1 device nodes left out \(the container has its own \/dev\)\n$/,
    );
    expect(cached().length).toBe(2);
  });
  test("a tree left half made is removed by the next unpacking, whoever owns its files", async () => {
    const [dir = ""] = cached();
    const left = user.home.file("cache/tmp-1-abc");
    const script = `cp -a ${dir} ${left} && chown ${UID}:${UID} ${left} && mkdir ${left}/d && chown 200000:500000 ${left}/d && chmod 0 ${left}/d && echo >${left}/d/f && rm -r ${cached().join(" ")}`;
    expect((await shell(["sh", "-c", script])).stderr).toBe("");
    expect((await list()).code).toBe(0);
    expect(existsSync(left)).toBe(false);
  });
  test("a smaller map by hand keeps what it maps", async () => {
    const { code, stderr } = await user.run([
      ...["--rootfs", user.home.file("owners.tar"), "--uid-map", `0:${UID}`, "--uid-map", "1:200000:40"],
      ...["--", "true"],
    ]);
    expect(code).toBe(0);
    expect(stderr).toMatch(
      /: 3 owners not kept \(their ids are not mapped\), 1 device nodes left out \(the container has its own \/dev\)\n$/,
    );
  });
  test("when the owners cannot be given the reason is said, and nothing is left in the cache", async () => {
    await shell(["sh", "-c", `rm -r ${cached().join(" ")}`]);
    const fake = user.home.file("fake");
    writeFileSync(fake, '#!/bin/sh\necho "cannot do it" >&2; exit 3\n');
    chmodSync(fake, 0o4755);
    const { code, stdout, stderr } = await list({ before: `mount --bind ${fake} /usr/bin/newuidmap` });
    expect({ code, stdout, stderr }).toEqual({
      code: 125,
      stdout: "",
      stderr: "nsrun: make a user namespace for the archive's owners: cannot do it\n",
    });
    expect(readdirSync(user.home.file("cache")).filter((name) => /^(tmp|rootfs|lock)-/.test(name))).toEqual([]);
  });
  test("root of a user namespace keeps what exists there; set-id bits of others are taken off", async () => {
    const cache = user.home.file("inner-cache");
    const script = `mkdir -m 700 ${cache} && NSRUN_CACHE=${cache} exec ${NSRUN.join(" ")} run --rootfs ${user.home.file("owners.tar")} -- stat -c '%n %u:%g %a' suid bin`;
    const { code, stdout, stderr } = await shell(["unshare", "-Ur", "sh", "-c", script]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "suid 0:0 751\nbin 0:0 755\n" });
    expect(stderr).toMatch(
      /: 5 owners not kept \(their ids are not mapped\), 1 device nodes left out \(the container has its own \/dev\)\n$/,
    );
  });
  test("SIGCHLD ignored by the caller does not matter", async () => {
    await shell(["sh", "-c", `rm -rf ${cached().join(" ")}`]);
    const argv = ["env", "--ignore-signal=CHLD", ...user.argv(), "run", "--rootfs", user.home.file("owners.tar")];
    expect((await shell([...argv, "--", "stat", "-c", "%u:%g", "suid"])).stdout).toBe("33:34\n");
  });
  test("nsrun cache prune removes trees with files of granted ids", async () => {
    expect((await list()).code).toBe(0);
    expect(cached().length).toBeGreaterThan(0);
    const { code, stderr } = await shell([...user.argv(), "cache", "prune"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringMatching(/^nsrun: \d+ removed, [^\n]*\n$/) });
    expect(readdirSync(user.home.file("cache")).filter((name) => !name.startsWith("memo-"))).toEqual([]);
  });
  test("root keeps them all", async () => {
    mkdirSync(user.home.file("root-cache"), { mode: 0o700 });
    const argv = [
      "env",
      `NSRUN_CACHE=${user.home.file("root-cache")}`,
      ...NSRUN,
      "run",
      "--rootfs",
      user.home.file("owners.tar"),
    ];
    const { stdout, stderr } = await shell([...argv, "--", "stat", "-c", "%u:%g", "far", "suid"]);
    expect(stdout).toBe("99999:0\n33:34\n");
    expect(stderr).toMatch(/^nsrun: \S*owners\.tar: 1 device nodes left out \(the container has its own \/dev\)\n$/);
  });
});
