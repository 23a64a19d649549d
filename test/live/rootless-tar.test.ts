/** An archive with foreign owners, unpacked by an ordinary user: kept within his range, told once where not. Witness: stat on the host. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { type Member, tar } from "../rootfs/tar-writer.ts";
import { asRoot, isRoot, NSRUN, shell, skipReason, works } from "./helpers.ts";
import { hasRanges, TestUser, UID, type UserFiles } from "./user.ts";

const reason = skipReason("archives with owners, rootless", [
  hasRanges,
  [works("sh", "-c", "command -v newuidmap newgidmap"), "newuidmap is missing (Debian's package uidmap)"],
]);

let user: TestUser;
const NONE: UserFiles = { subuid: "" };

beforeAll(async () => {
  if (reason !== undefined) return;
  user = await TestUser.make();
  const { home } = user;
  const own = { uid: 0, gid: 0 };
  const members: Member[] = [
    ...["bin", "etc"].map((name) => ({ name, type: "5", ...own })),
    { name: "bin/busybox", mode: 0o755, data: readFileSync(Bun.which("busybox")!), ...own },
    ...["sh", "stat", "true", "id"].map((name) => ({ name: `bin/${name}`, type: "2", link: "busybox", ...own })),
    { name: "suid", mode: 0o6751, uid: 33, gid: 34, data: "x" },
    { name: "twin", type: "1", link: "suid" },
    { name: "link", type: "2", link: "/nowhere", uid: 5, gid: 6 },
    { name: "secret", type: "5", mode: 0o700, uid: 1000, gid: 1000 },
    { name: "secret/\xc3\xa4 name", mode: 0o600, uid: 1000, gid: 1000, data: "s" },
    { name: "far", uid: 99999, gid: 0, data: "f" },
    { name: "null", type: "3", mode: 0o666, major: 1, minor: 3, ...own },
  ];
  writeFileSync(home.file("owners.tar"), tar(...members), { mode: 0o644 });
});
afterAll(async () => {
  if (user && !isRoot) await remove(cached());
  user?.[Symbol.dispose]();
});

const cached = (): string[] =>
  readdirSync(user.home.file("cache"))
    .filter((name) => name.startsWith("rootfs-"))
    .map((name) => user.home.file(`cache/${name}`));

/** As design/0008 says: what belongs to granted ids is removed by who is their root. */
const remove = (paths: readonly string[]) =>
  shell([...(isRoot ? [] : ["unshare", "-U", "--map-auto", "-r"]), "rm", "-rf", ...paths]);

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
  asRoot("only root can show the user other files")(
    "without a range all is his own, in a tree of its own, and he is told why",
    async () => {
      const { code, stdout, stderr } = await list(NONE);
      expect({ code, owners: stdout.split("\n")[0] }).toEqual({ code: 0, owners: "suid 0:0 6751" });
      expect(stderr).toMatch(
        /: 5 owners not kept \(\/etc\/subuid grants \S+ no ids\), 1 device nodes left out \(the container has its own \/dev\)\n$/,
      );
      expect(cached().length).toBe(2);
    },
  );
  asRoot("only root can show the user other files")(
    "a tree left half made is removed by the next unpacking, whoever owns its files",
    async () => {
      const [dir = ""] = cached();
      const left = user.home.file("cache/tmp-1-abc");
      const script = `cp -a ${dir} ${left} && chown ${UID}:${UID} ${left} && mkdir ${left}/d && chown 200000:500000 ${left}/d && chmod 0 ${left}/d && echo >${left}/d/f && rm -r ${cached().join(" ")}`;
      expect((await shell(["sh", "-c", script])).stderr).toBe("");
      expect((await list()).code).toBe(0);
      expect(existsSync(left)).toBe(false);
    },
  );
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
  asRoot("only root can show the user other files")(
    "when the owners cannot be given the reason is said, and nothing is left in the cache",
    async () => {
      await remove(cached());
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
    },
  );
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
    await remove(cached());
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
  asRoot("root's own unpacking")("root keeps them all", async () => {
    mkdirSync(user.home.file("root-cache"), { mode: 0o700 });
    const argv = [
      "env",
      `NSRUN_CACHE=${user.home.file("root-cache")}`,
      ...NSRUN,
      "run",
      "--rootfs",
      user.home.file("owners.tar"),
    ];
    const command = ["--", "stat", "-c", "%u:%g", "far", "suid"];
    const told = expect.stringMatching(
      /^nsrun: \S*owners\.tar: 1 device nodes left out \(the container has its own \/dev\)\nnsrun: --userns host: .*\n$/,
    );
    expect(await shell([...argv, "--userns", "host", ...command])).toEqual({ code: 0, stdout: "99999:0\n33:34\n", stderr: told });
    // in a range of 65536 ids, uid 99999 is nobody
    expect(await shell([...argv, ...command])).toEqual({ code: 0, stdout: "65534:0\n33:34\n", stderr: "" });
  });
});
