/** Root's container in a user namespace of its own: who it is outside, whose files it sees, and what happens where that cannot be. */
import { describe, expect, test } from "bun:test";
import { chownSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import {
  BUN,
  CHECKOUT,
  ENTERED_SAID,
  HOST_SAID,
  hold,
  inside,
  MAPPED_SAID,
  NSRUN,
  needsRoot,
  nsrun,
  SHARED_SAID,
  shell,
  skipReason,
  smallRoot,
  temporary,
  WAIT,
} from "./helpers.ts";
import { kernelCan, OVERLAY_RMDIR } from "./kernel.ts";

const reason = skipReason("user namespaces of root", [needsRoot]);
/** Before Linux 6.6 a directory of the lower layer that goes cannot come again (docs/design/0004-kernels.md). */
const removesBelow = reason === undefined && (await kernelCan(OVERLAY_RMDIR));
if (reason === undefined && !removesBelow)
  console.log("skip: directories of the lower layer that go and come: tmpfs has no user.* attributes");

const firstId = (pid: number): number => Number(readFileSync(`/proc/${pid}/uid_map`, "utf8").trim().split(/\s+/)[1]);
const owner = (path: string): string => `${statSync(path).uid}:${statSync(path).gid}`;

/** A directory with files of root, of www-data (33) and of nobody in particular. */
function volume(path: string): void {
  mkdirSync(path);
  for (const [name, id] of [
    ["root", 0],
    ["web", 33],
    ["far", 99999],
  ] as const) {
    writeFileSync(`${path}/${name}`, "");
    chownSync(`${path}/${name}`, id, id);
  }
}

describe.skipIf(reason !== undefined)("who it is outside", () => {
  test("a process of root inside belongs to the range outside; with --userns host to root", async () => {
    await using held = await hold([], WAIT);
    expect(statSync(`/proc/${held.pid}`).uid).toBe(firstId(held.pid));
    expect(firstId(held.pid)).toBeGreaterThanOrEqual(100000);
    await using control = await hold(["--userns", "host"], WAIT);
    expect(statSync(`/proc/${control.pid}`).uid).toBe(0);
  });
  test("--userns FIRST:SIZE is taken as it is, and --user must be in it", async () => {
    await using held = await hold(["--userns", "1000000000:1000"], WAIT);
    expect(readFileSync(`/proc/${held.pid}/uid_map`, "utf8").trim().split(/\s+/)).toEqual(["0", "1000000000", "1000"]);
    expect(await nsrun(["--userns", "1000000000:1000", "--user", "1000", "--", "true"])).toMatchObject({
      code: 125,
      stderr: expect.stringMatching(/^nsrun: --user 1000: uid 1000 is not mapped \(mapped: 0-999\)\n$/),
    });
  });
  test("a range granted in /etc/subuid or /etc/subgid is somebody else's", async () => {
    using dir = temporary();
    writeFileSync(dir.file("subuid"), "alice:100000:65536\n# bob:1\nbroken\n");
    writeFileSync(dir.file("subgid"), "alice:165536:10\n");
    const binds = ["subuid", "subgid"]
      .map((name) => `touch /etc/${name}; mount --bind ${dir.file(name)} /etc/${name}`)
      .join("; ");
    const script = `${binds}; exec ${NSRUN.join(" ")} run -- cat /proc/self/uid_map`;
    const { stdout, stderr } = await shell(["unshare", "-m", "-n", "sh", "-c", script]);
    expect({ words: stdout.trim().split(/\s+/), stderr }).toEqual({ words: ["0", "231072", "65536"], stderr: "" });
  });
  test("a killed nsrun gives its range back", async () => {
    const first = await hold([], WAIT);
    const range = firstId(first.pid);
    await first[Symbol.asyncDispose](); // kill -9
    await using next = await hold([], WAIT);
    expect(firstId(next.pid)).toBe(range);
  });
});

describe.skipIf(reason !== undefined)("each way to have the host's root inside is told in one line, and nothing else is", () => {
  const gid = "nsrun: among the ids inside: the host's gid 0\n";
  for (const [options, said] of [
    [["--userns", "host"], HOST_SAID],
    [["--share", "user"], SHARED_SAID],
    [["--share", "uts,user"], SHARED_SAID],
    [["--userns", "0"], MAPPED_SAID],
    [["--userns", "0:10"], MAPPED_SAID],
    [["--uid-map", "0:0"], MAPPED_SAID],
    [["--uid-map", "0:5:10", "--uid-map", "20:0"], MAPPED_SAID],
    [["--uid-map", "0:3000000:10", "--gid-map", "0:0"], gid],
    [["--userns", "1:10"], ""],
    [["--uid-map", "0:3000000:10"], ""],
    [["--unshare", "user"], ""],
    [[], ""],
  ] as const)
    test(options.join(" ") || "the default", async () => {
      expect(await nsrun([...options, "--", "true"])).toEqual({ code: 0, stdout: "", stderr: said });
    });
  test("a joined pid or mount namespace; with the user namespace of its own it is not said", async () => {
    await using first = await hold([], WAIT);
    for (const ns of ["pid", "mnt"]) {
      const join = ["--join", `${ns}=${first.pid}`];
      expect(await nsrun([...join, "--", "true"])).toEqual({ code: 0, stdout: "", stderr: ENTERED_SAID });
      if (!removesBelow) continue; // then no root can be made there
      const both = [...join, "--join", `user=${first.pid}`];
      expect(await nsrun([...both, "--", "true"])).toEqual({ code: 0, stdout: "", stderr: "" });
    }
  });
  test("root of another user namespace is not the host's", async () => {
    for (const option of ["--share=user", "--uid-map=0:0"])
      expect(await shell(["unshare", "-Ur", ...NSRUN, "run", option, "--", "true"])).toEqual({ code: 0, stdout: "", stderr: "" });
  });
});

describe.skipIf(reason !== undefined)("a range of ids is recorded as long as it is in use", () => {
  test("wherever the other container's network is", async () => {
    await using one = await hold([], WAIT);
    await using other = await hold([], WAIT, ["unshare", "-n", ...NSRUN]);
    expect(firstId(other.pid)).not.toBe(firstId(one.pid));
  });
  /** A script on a machine where all but one range is somebody's. */
  const crowded = async (script: string) => {
    using dir = temporary();
    writeFileSync(dir.file("subuid"), "alice:165536:4294000000\n");
    const bind = `mount -t tmpfs -o mode=755 t /var/cache; export NSRUN_CACHE=${dir.path}; touch /etc/subuid; mount --bind ${dir.file("subuid")} /etc/subuid`;
    return await shell(["unshare", "-m", "-n", "sh", "-c", `${bind}; exec ${script}`]);
  };
  const MAP = `${NSRUN.join(" ")} run -- cat /proc/self/uid_map`;
  test("whoever takes the names that earlier versions held stops nobody", async () => {
    const squatted = `${BUN.join(" ")} -e ${`'
      const { holdName } = await import("${CHECKOUT}/src/ffi/abstract.ts");
      const held = holdName("nsrun/ids/100000", "take a name");
      const { stdout, stderr } = Bun.spawnSync(process.argv.slice(1));
      console.log(held !== undefined, stdout + "" + stderr);'`} ${MAP}`;
    const { stdout, stderr } = await crowded(squatted);
    expect({ words: stdout.trim().split(/\s+/), stderr }).toEqual({ words: ["true", "0", "100000", "65536"], stderr: "" });
  });
  test("auto never has ids that were given, and the other way round it is an error; given ones may be the same", async () => {
    await using auto = await hold([], WAIT);
    const first = firstId(auto.pid);
    for (const [option, words] of [
      [["--userns", `${first + 65535}:2`], `--userns ${first + 65535}:2`],
      [["--uid-map", `0:${first}`], "--uid-map"],
    ] as const)
      expect(await nsrun([...option, "--", "true"])).toMatchObject({
        code: 125,
        stderr: expect.stringContaining(
          `nsrun: ${words}: a running container has some of the ids ${first + 65535 * Number(option[0] === "--userns")}`,
        ),
      });
    await auto[Symbol.asyncDispose]();
    expect((await nsrun(["--uid-map", "0:0:4294967295", "--", "true"])).code).toBe(0);
    await using given = await hold(["--userns", `${first + 65535}:2`], WAIT);
    await using same = await hold(["--userns", String(first)], WAIT);
    await using other = await hold([], WAIT);
    expect([given, same].map(({ pid }) => firstId(pid))).toEqual([first + 65535, first]);
    expect(firstId(other.pid)).toBeGreaterThanOrEqual(first + 2 * 65536);
  });
  test("where the record cannot be had, by a name: in the same network namespace two containers differ", async () => {
    using dir = temporary();
    const held = `${NSRUN.join(" ")} run -- sh -c 'cat /proc/self/uid_map; read _'`;
    const script = `mount -t tmpfs -o ro t /var/cache; export NSRUN_CACHE=${dir.path}
      mkfifo ${dir.file("fifo")}; sleep 600 >${dir.file("fifo")} & keep=$!
      ${held} <${dir.file("fifo")} >${dir.file("one")} & first=$!
      while ! [ -s ${dir.file("one")} ]; do sleep 0.01; done
      cat ${dir.file("one")}; echo | ${held}; kill $keep; wait $first || :`;
    const { stdout, stderr } = await shell(["unshare", "-m", "-n", "sh", "-c", script]);
    expect({
      firsts: stdout
        .trim()
        .split(/\s+/)
        .filter((_, i) => i % 3 === 1),
      stderr,
    }).toEqual({
      firsts: ["100000", "165536"],
      stderr: "",
    });
  });
});

describe.skipIf(reason !== undefined)("whose files it sees", () => {
  for (const recipe of ["paths", "staged"])
    test(`a given root and a volume show the owners on disk, and what is made there has them on disk too (${recipe})`, async () => {
      using dir = temporary();
      const root = await smallRoot(dir.file("root"));
      volume(dir.file("vol"));
      volume(`${root}/data`);
      const list = "stat -c '%n %u:%g' /data/* /vol/*";
      const seen = "/data/far 65534:65534\n/data/root 0:0\n/data/web 33:33\n/vol/far 65534:65534\n/vol/root 0:0\n/vol/web 33:33";
      const options = ["--rootfs", root, "-v", `${dir.file("vol")}:/vol`];
      expect(await inside(options, list)).toBe(seen);
      expect(await inside([...options, "--rw"], `${list}; touch /made /vol/made`)).toBe(seen);
      expect([owner(`${root}/made`), owner(dir.file("vol/made")), owner(`${root}/data/far`)]).toEqual([
        "0:0",
        "0:0",
        "99999:99999",
      ]);
    });
  test("an ordinary user inside writes as that user on disk", async () => {
    using dir = temporary();
    mkdirSync(dir.file("vol"), { mode: 0o777 });
    chownSync(dir.file("vol"), 33, 33);
    await inside(["--user", "33:33", "-v", `${dir.file("vol")}:/vol`], "touch /vol/made");
    expect(owner(dir.file("vol/made"))).toBe("33:33");
  });
  test(":noidmap shows nobody, and root inside may do there what nobody may", async () => {
    using dir = temporary();
    volume(dir.file("vol"));
    const options = ["-v", `${dir.file("vol")}:/vol:noidmap`];
    expect(await inside(options, "stat -c %u:%g /vol/root; touch /vol/made 2>&1 || :")).toMatch(
      /^65534:65534\n.*Permission denied$/,
    );
  });
  test("what root inside cannot do to a file of an unmapped owner, it cannot do with set-id bits either", async () => {
    using dir = temporary();
    volume(dir.file("vol"));
    const script = "chown 0 /vol/far 2>&1; chmod u+s /vol/far 2>&1; stat -c %a /vol/far";
    expect(await inside(["-v", `${dir.file("vol")}:/vol`], script)).toMatch(
      /not permitted\n.*(not permitted|Value too large).*\n644$/,
    );
  });
});

describe.skipIf(reason !== undefined)("a kernel whose tmpfs has no user.* attributes (before 6.6)", () => {
  /** As Linux 6.1 answers; the container's own processes do not ask. */
  const OLDER = ["strace", "-f", "-qqq", "-o", "/dev/null", "-e", "inject=getxattr:error=EOPNOTSUPP:when=1"];
  const script = "ls -ld /bin /dev/null | cut -c1-40; rm -r /var/log && mkdir /var/log && cat /proc/self/uid_map /proc/mounts";
  test("the stage makes the overlay: owners, and directories of the lower layer that go and come", async () => {
    const { code, stdout, stderr } = await shell([...OLDER, ...NSRUN, "run", "--", "sh", "-c", script]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^drwx.* root +root .*\ncrw-rw-rw- +1 root +root/);
    expect(stdout).toMatch(/\n +0 +[1-9]\d{5,} +65536\n(.*\n)*overlay \/ overlay rw,nodev,(?!.*userxattr)/);
  });
  test("the plan shows it, for --rw too, and nothing is written into the directory to find that out", async () => {
    using dir = temporary();
    const root = await smallRoot(dir.file("root"));
    const plan = (options: string[]) => shell([...OLDER, ...NSRUN, "run", ...options, "--plan", "--verbose", "true"]);
    expect((await plan([])).stdout).toContain("let the container take its root");
    const { stdout } = await plan(["--rw", "--rootfs", root]);
    expect(stdout).toContain("give /dev to root inside");
    expect(stdout).not.toContain("map the owners of /dev");
    expect(readdirSync(root).sort()).toEqual(["bin", "etc"]);
  });
});

describe.skipIf(reason !== undefined)("device nodes of a root stay dead, whoever takes nodev away", () => {
  for (const recipe of ["paths", "staged"])
    test(`recipe ${recipe}`, async () => {
      using dir = temporary();
      const root = await smallRoot(dir.file("root"));
      expect((await shell(["mknod", "-m", "666", `${root}/zero`, "c", "1", "5"])).code).toBe(0);
      const look = "head -c 1 /zero 2>&1; mount -o remount,bind,dev / 2>&1; head -c 1 /zero 2>&1; head -c 1 /dev/zero | wc -c";
      const options = ["--rootfs", root, "--cap-add", "sys_admin", "--seccomp", "none"];
      const { stdout } = await nsrun([...options, "--", "busybox", "sh", "-c", look], { env: { NSRUN_ROOT_RECIPE: recipe } });
      expect(stdout).toMatch(/^head: .*: Permission denied\n(mount: .*\n)?head: .*: Permission denied\n1\n$/);
    });
});

describe.skipIf(reason !== undefined)("where it cannot be", () => {
  for (const [option, words] of [
    ["foo", /^nsrun: --userns foo: expected auto, host or FIRST\[:SIZE\], decimal numbers\n$/],
    ["-1", /^nsrun: --userns -1: expected/],
    ["1000x", /^nsrun: --userns 1000x: expected/],
    ["", /^nsrun: --userns : expected/],
    ["4294967295", /beyond the last id/],
    ["4294901760:65536", /beyond the last id/],
    ["1000:0", /no ids/],
  ] as const)
    test(`--userns ${JSON.stringify(option)}: one line`, async () => {
      const refused = { code: 125, stdout: "", stderr: expect.stringMatching(words) };
      expect(await nsrun([`--userns=${option}`, "--", "true"])).toEqual(refused);
    });
  test("two words about the same namespace are one too many", async () => {
    for (const more of [
      ["--share", "user"],
      ["--join", "user=1"],
      ["--uid-map", "0:0:10"],
    ]) {
      const { code, stderr } = await nsrun(["--userns", "auto", ...more, "--", "true"]);
      expect({ code, stderr }).toEqual({
        code: 125,
        stderr: expect.stringMatching(/^nsrun: the user namespace is given by .*\n$/),
      });
    }
  });
  test("a file system that cannot map owners is named with the option that does without, for a root and for a volume", async () => {
    using dir = temporary();
    await smallRoot(dir.file("lower"));
    for (const name of ["up", "work", "merged"]) mkdirSync(dir.file(name));
    const overlay = `mount -t overlay -o lowerdir=${dir.file("lower")},upperdir=${dir.file("up")},workdir=${dir.file("work")} o ${dir.file("merged")}`;
    const run = (options: string, word = "run") =>
      shell([
        "unshare",
        "-m",
        "sh",
        "-c",
        `mount -t tmpfs t ${dir.file("up")}; umount ${dir.file("up")}; ${overlay}; exec ${NSRUN.join(" ")} ${word} ${options} -- true`,
      ]);
    const root = await run(`--rootfs ${dir.file("merged")}`);
    expect(root).toEqual({
      code: 125,
      stdout: "",
      stderr: expect.stringMatching(/^nsrun: step .*map the owners of the lower layer: EINVAL.*\nhint: .*--userns host.*\n$/),
    });
    expect(await run(`--userns host --rootfs ${dir.file("merged")}`)).toMatchObject({ code: 0, stderr: HOST_SAID });
    const refused = {
      code: 125,
      stdout: "",
      stderr: expect.stringMatching(/^nsrun: step .*map the owners of \/x: EINVAL.*\nhint: (?!.*--userns).*:noidmap.*\n$/),
    };
    expect(await run(`-v ${dir.file("merged")}:/x`)).toEqual(refused);
    // bare nsrun does without a user namespace for its root's sake only
    expect(await run(`--net none -v ${dir.file("merged")}:/x`, "")).toEqual(refused);
    const fallBack = expect.stringMatching(/^nsrun: no user namespace here, .*: step .*the lower layer: EINVAL.*\n$/);
    expect(await run(`--net none --rootfs ${dir.file("merged")}`, "")).toEqual({ code: 0, stdout: "", stderr: fallBack });
    expect(await run(`-v ${dir.file("merged")}:/x:noidmap`)).toMatchObject({ code: 0, stderr: "" });
  });
  for (const [call, errno, words] of [
    ["mount_setattr", "EPERM", /^nsrun: step .*: EPERM/],
    ["setresuid", "EPERM", /^nsrun: step .*become user 0: EPERM/],
  ] as const)
    test(`a ${call} that fails ends the start: the command never runs with less`, async () => {
      using dir = temporary();
      const trace = ["strace", "-f", "-o", "/dev/null", "-e", `inject=${call}:error=${errno}`];
      const { code, stdout, stderr } = await shell([...trace, ...NSRUN, "run", "-v", `${dir.path}:/v`, "--", "touch", "/v/ran"]);
      expect({ code, stdout, stderr }).toEqual({ code: 125, stdout: "", stderr: expect.stringMatching(words) });
      expect(() => statSync(dir.file("ran"))).toThrow("ENOENT");
    });
});
