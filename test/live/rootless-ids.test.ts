/** Ranges of ids for an ordinary user (newuidmap, newgidmap), maps by hand, and what is refused. Witnesses: /proc from outside, stat. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { asRoot, hold, isRoot, NSRUN, nsrun, shell, skipReason, smallRoot, snapshot, WAIT, works } from "./helpers.ts";
import { kernelCan, OVERLAY_RMDIR } from "./kernel.ts";
import { hasRanges, NAME, TestUser, UID, type UserFiles } from "./user.ts";

const OTHERS = "only root can become a user with other files, groups or limits";
const reason = skipReason("ranges of ids", [
  hasRanges,
  [works("unshare", "-Urm", "true"), "no user namespaces here"],
  [works("sh", "-c", "command -v newuidmap newgidmap"), "newuidmap is missing (Debian's package uidmap)"],
]);

/** Before Linux 6.6 a directory of the lower layer that goes cannot come again (docs/design/0004-kernels.md). */
const removesBelow = reason === undefined && (await kernelCan(OVERLAY_RMDIR));
if (reason === undefined && !removesBelow)
  console.log("skip: directories of the lower layer that go and come: tmpfs has no user.* attributes");

let user: TestUser;
beforeAll(async () => {
  if (reason !== undefined) return;
  user = await TestUser.make();
  const { code, stderr } = await user.run(["true"]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
});
afterAll(() => user?.[Symbol.dispose]());

async function script(options: string[], text: string, files: UserFiles = {}): Promise<string> {
  const { code, stdout, stderr } = await user.run([...options, "--", "sh", "-c", text], files);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout.trimEnd();
}

/** The rows of a map as /proc shows it to the host. */
const rows = (pid: number, file: string): number[][] =>
  readFileSync(`/proc/${pid}/${file}`, "utf8")
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number));

const GRANTED = [
  [0, UID, 1],
  [1, 200000, 65536],
  [65537, 300000, 10],
];

describe.skipIf(reason !== undefined)("an ordinary user with granted ranges", () => {
  test("maps himself to root and all granted ids behind, seen from outside; setgroups is allowed", async () => {
    await using held = await hold([], WAIT, user.argv());
    expect(rows(held.pid, "uid_map")).toEqual(GRANTED);
    expect(rows(held.pid, "gid_map")).toEqual([
      [0, UID, 1],
      [1, 500000, 65536],
    ]);
    expect(readFileSync(`/proc/${held.pid}/setgroups`, "utf8")).toBe("allow\n");
    expect(readFileSync(`/proc/${held.pid}/status`, "utf8")).toMatch(new RegExp(`^Uid:\t${UID}\t${UID}\t${UID}\t${UID}$`, "m"));
  });
  test("--user is another host id, and his supplementary groups are gone", async () => {
    await using held = await hold(["--user", "33:34"], WAIT, user.argv());
    const status = readFileSync(`/proc/${held.pid}/status`, "utf8");
    expect(status).toMatch(/^Uid:\t200032\t200032/m);
    expect(status).toMatch(/^Gid:\t500033\t500033/m);
    expect(status).toMatch(/^Groups:\t *$/m);
  });
  asRoot(OTHERS)("with a range root's supplementary groups go; with the single id they cannot, and show as nogroup", async () => {
    const as = (setpriv: string) => user.argv({ setpriv }).map((word) => word.replace("--clear-groups", ""));
    const groups = async (...options: string[]) => {
      const run = await shell([...as("--groups 4,27"), "run", ...options, "--", "grep", "^Groups:", "/proc/self/status"]);
      return [run.stdout.trim(), run.stderr];
    };
    expect(await groups()).toEqual(["Groups:", ""]);
    const [single, said] = await groups("--uid-map", `0:${UID}`, "--gid-map", `0:${UID}`);
    expect(single).toBe("Groups:\t65534 65534");
    expect(said).toMatch(/^nsrun: your supplementary groups \(4 27\) stay in force inside, as nogroup: .*\n$/);
  });
  test("owners inside are granted ids outside", async () => {
    const root = await smallRoot(user.home.file("root"));
    if (isRoot) await shell(["chown", "-R", `${UID}:${UID}`, root]);
    expect(await script(["--rootfs", root, "--rw"], "echo x >/f; busybox chown 33:34 /f; stat -c %u:%g /f")).toBe("33:34");
    const { uid, gid } = statSync(`${root}/f`);
    expect([uid, gid]).toEqual([200032, 500033]);
  });
  test.skipIf(!removesBelow)("the overlay works: files are made, changed, given away and removed", async () => {
    const text =
      "echo x >>/etc/hosts; mkdir /a; chown 5:5 /a /etc/hosts; stat -c %u /a /etc/hosts; rm -r /home /a; mkdir /home; ls /home";
    expect(await script([], text)).toBe("5\n5");
  });
  test("the terminals' group is tty", async () => {
    expect(await script([], "grep -c 'devpts.*gid=5' /proc/mounts")).toBe("1");
  });
  test("a command that joins is the same", async () => {
    const text = `const { container } = await import("${user.sources}");
      await using box = await container({});
      console.log((await box.exec("cat /proc/self/uid_map | wc -l; cat /proc/self/setgroups", { user: "7:8" })).stdout);
      console.log(await box.exec("true", { user: "70000" }).catch((error) => error.message));`;
    const { code, stdout, stderr } = await shell(user.argv({}, [...user.bun, "-e", text]));
    expect({ code, stderr, lines: stdout.split("\n") }).toEqual({
      code: 0,
      stderr: "",
      lines: ["3", "allow", "", "--user 70000: uid 70000 is not mapped (mapped: 0-65546)", ""],
    });
  });
});

describe.skipIf(reason !== undefined)("maps by hand", () => {
  asRoot(OTHERS)("his own id alone needs no helper", async () => {
    const options = ["--uid-map", `0:${UID}`, "--gid-map", `0:${UID}`];
    const before = "mount -t tmpfs t /mnt; mount --bind /mnt /usr/sbin; mount --bind /dev/null /usr/bin/newuidmap";
    expect(await script(options, "cat /proc/self/uid_map | wc -l; cat /proc/self/setgroups", { before })).toBe("1\ndeny");
  });
  test("several lines; the map that is not given is the default", async () => {
    const options = ["--uid-map", `0:${UID}`, "--uid-map", "1000:200100:50", "--uid-map", "5:200000"];
    await using held = await hold(options, WAIT, user.argv());
    expect(rows(held.pid, "uid_map")).toEqual([
      [0, UID, 1],
      [1000, 200100, 50],
      [5, 200000, 1],
    ]);
    expect(rows(held.pid, "gid_map").length).toBe(2);
  });
  asRoot("root's own maps")(
    "root writes them himself, in a new user namespace, and root inside owns the root directory",
    async () => {
      await using held = await hold(["--uid-map", "0:1000000000:65536", "--user", "7"], WAIT);
      expect([rows(held.pid, "uid_map"), rows(held.pid, "gid_map")]).toEqual([[[0, 1e9, 65536]], [[0, 1e9, 65536]]]);
      expect(readFileSync(`/proc/${held.pid}/status`, "utf8")).toMatch(/^Uid:\t1000000007\t/m);
      const made = await nsrun(["--gid-map", "0:1000000000:10", "--", "sh", "-c", "mkdir /d && stat -c %u:%g / /d"]);
      expect(made).toEqual({ code: 0, stdout: "0:0\n0:0\n", stderr: "" });
    },
  );
  test("root of a user namespace gets only what exists there", async () => {
    const argv = ["unshare", "-Ur", "env", `NSRUN_CACHE=${user.home.file("inner")}`, ...NSRUN, "run"];
    mkdirSync(user.home.file("inner"), { mode: 0o700 });
    expect((await shell([...argv, "--uid-map", "0:0", "--", "id", "-u"])).stdout).toBe("0\n");
    const { code, stderr } = await shell([...argv, "--uid-map", "0:100000", "--", "true"]);
    expect({ code, stderr }).toEqual({
      code: 125,
      stderr: "nsrun: --uid-map 0:100000:1: no such host ids in this user namespace (0)\n",
    });
  });
});

describe.skipIf(reason !== undefined)("without a range it is the single id, and says so when it matters", () => {
  const HIDE = "mount --bind /dev/null /usr/bin/newuidmap";
  const PLAIN = `cp /usr/bin/newuidmap ${"$"}PLACE && chmod 755 ${"$"}PLACE && mount --bind ${"$"}PLACE /usr/bin/newuidmap`;
  const CASES: [string, () => UserFiles, RegExp][] = [
    ["nothing granted", () => ({ subuid: "bob:1:1\n" }), new RegExp(`/etc/subuid grants ${NAME} no ids`)],
    ["no group granted", () => ({ subgid: "" }), new RegExp(`/etc/subgid grants ${NAME} no ids`)],
    ["newuidmap missing", () => ({ before: HIDE }), /newuidmap is not installed \(Debian's package uidmap\)/],
    [
      "newuidmap without its setuid bit",
      () => ({ before: PLAIN.replaceAll("$PLACE", user.home.file("plain")) }),
      /newuidmap has neither its setuid bit nor file capabilities/,
    ],
    ["newuidmap on a nosuid mount", () => ({ before: "mount --bind /usr /usr; mount -o remount,bind,nosuid /usr" }), /nosuid/],
    ["no_new_privs", () => ({ setpriv: "--no-new-privs" }), /no_new_privs is set/],
    ["another primary group", () => ({ gid: 9 }), /our group is 9/],
    [
      "a user that passwd does not know",
      () => ({ before: "umount /etc/passwd", subgid: `${UID}:1:9\n` }),
      new RegExp(`uid ${UID} is not in /etc/passwd`),
    ],
  ];
  for (const [name, files, why] of CASES)
    asRoot(OTHERS)(name, async () => {
      expect(await script([], "cat /proc/self/uid_map | wc -l; cat /proc/self/setgroups", files())).toBe("1\ndeny");
      const { code, stdout, stderr } = await user.run(["--user", "5", "--", "true"], files());
      const [error, hint, ...rest] = stderr.split("\n");
      expect({ code, stdout, rest }).toEqual({ code: 125, stdout: "", rest: [""] });
      expect(error).toBe("nsrun: --user 5: uid 5 is not mapped (mapped: 0)");
      expect(hint).toMatch(why);
    });
  asRoot(OTHERS)("a range by hand without newuidmap is one line with its package", async () => {
    const { code, stderr } = await user.run(["--uid-map", `0:${UID}`, "--uid-map", "1:200000:9", "--", "true"], { before: HIDE });
    expect({ code, stderr }).toEqual({
      code: 125,
      stderr:
        "nsrun: a map of more than one's own id needs newuidmap and newgidmap: newuidmap is not installed (Debian's package uidmap)\n",
    });
  });
  asRoot(OTHERS)("what newuidmap itself says is in the error", async () => {
    const before = `printf '#!/bin/sh\\necho "cannot do it" >&2; exit 3\\n' >${user.home.file("fake")}; chmod 4755 ${user.home.file("fake")}; mount --bind ${user.home.file("fake")} /usr/bin/newuidmap`;
    const { code, stdout, stderr } = await user.run(["--", "true"], { before });
    expect({ code, stdout }).toEqual({ code: 125, stdout: "" });
    expect(stderr).toMatch(/^nsrun: step \d+ of \d+: map the granted ids: cannot do it\nhint: .*--uid-map 0:UID.*\n$/);
  });
});

describe.skipIf(reason !== undefined)("refused before anything starts, in one line, and nothing is left", () => {
  let before: Awaited<ReturnType<typeof look>>;
  const look = async () => ({ ...(await snapshot(user.home.path)), cache: readdirSync(user.home.file("cache")) });
  beforeAll(async () => {
    if (reason === undefined) before = await look();
  });
  afterAll(async () => {
    if (reason === undefined) expect(await look()).toEqual(before);
  });
  const REFUSED: [string[], RegExp][] = [
    [
      ["--uid-map", "0:0"],
      new RegExp(`host id 0 is not granted: ${NAME} may use ${UID}, and 200000-265535, 300000-300009 \\(/etc/subuid\\)`),
    ],
    [["--uid-map", "0:200000:65537"], /host id 200000-265536 is not granted/],
    [["--gid-map", "0:200000"], /host id 200000 is not granted: .*500000-565535 \(\/etc\/subgid\)/],
    [["--uid-map", "0:200000", "--uid-map", "0:200001"], /overlap in their container ids/],
    [["--uid-map", "0:200000:0"], /a range of no ids/],
    [["--uid-map", "0:1:4294967295"], /beyond the last id/],
    [["--uid-map", "bogus"], /expected CONTAINER:HOST\[:SIZE\]/],
    [["--uid-map", `5:${UID}`], /container id 0 is not mapped/],
    [["--share", "user", "--uid-map", `0:${UID}`], /needs a user namespace of the container's own/],
    [["--user", "1000x"], /1000x is no user id/],
    [["--user", "-1"], /-1 is no user id/],
    [["--user", "4294967295"], /4294967295 is no user id/],
    [["--user", "nobody-here"], /no user nobody-here/],
    [["--user", "70000"], /uid 70000 is not mapped \(mapped: 0-65546\)/],
    [["--user", "5:70000"], /gid 70000 is not mapped \(mapped: 0-65536\)/],
  ];
  for (const [options, why] of REFUSED)
    test(options.join(" "), async () => {
      const { code, stdout, stderr } = await user.run([...options, "--", "true"]);
      expect({ code, stdout, lines: stderr.split("\n").length }).toEqual({ code: 125, stdout: "", lines: 2 });
      expect(stderr).toMatch(why);
    });
});
