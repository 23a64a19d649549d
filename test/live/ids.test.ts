/** Ids of user namespaces: ranges by newuidmap, maps by hand, what is refused. Witness: /proc/PID/{uid_map,status} from outside. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, chownSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import {
  asRoot,
  copyOfNsrun,
  hold,
  inside,
  isRoot,
  needsRoot,
  nsrun,
  shell,
  skipReason,
  type Temporary,
  temporary,
  WAIT,
  works,
} from "./helpers.ts";

const mapOf = (pid: number, file: "uid_map" | "gid_map") =>
  readFileSync(`/proc/${pid}/${file}`, "utf8").trim().split(/\s+/).map(Number);
const status = (pid: number, field: string) =>
  new RegExp(`^${field}:[ \\t]*(.*?)[ \\t]*$`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];

describe("maps by hand, as root", () => {
  asRoot("are written as given, and need no --unshare user", async () => {
    const maps = ["--uid-map", "0:100000:1000", "--uid-map", "5000:300000", "--gid-map", "0:100000:1000"];
    // the default root's files belong to host ids that are not mapped: they are there to be read
    await using held = await hold(maps, WAIT);
    expect(mapOf(held.pid, "uid_map")).toEqual([0, 100000, 1000, 5000, 300000, 1]);
    expect(mapOf(held.pid, "gid_map")).toEqual([0, 100000, 1000]);
    expect(status(held.pid, "Uid")).toBe("100000\t100000\t100000\t100000");
    expect(status(held.pid, "Groups")).toBe("");
  });
  asRoot("hold the ids that --user may be", async () => {
    const maps = ["--uid-map", "0:100000:1000", "--gid-map", "0:100000:1000"];
    expect(await inside([...maps, "--user", "999:7"], "id -u; id -g")).toBe("999\n7");
    const { code, stderr } = await nsrun([...maps, "--user", "1000", "true"]);
    expect(stderr).toMatch(/^nsrun: --user 1000: uid 1000 is not in the container's user namespace, which has 0-999\n/);
    expect(code).toBe(125);
  });
});

describe("what is no map or no user is one line and 125", () => {
  const cases: [string[], string][] = [
    [["--uid-map", "0"], "--uid-map 0: expected CONTAINER:HOST[:SIZE], ids from 0 to 4294967294"],
    [["--uid-map", "0:0:0"], "--uid-map 0:0:0: a range of no ids"],
    [["--uid-map", "0:4294967290:10"], "--uid-map 0:4294967290:10: the range goes beyond 4294967294"],
    [["--uid-map", "0:1:10", "--uid-map", "9:100"], "--uid-map 9:100: overlaps an earlier range inside"],
    [["--gid-map", "0:1:10", "--gid-map", "20:10"], "--gid-map 20:10: overlaps an earlier range outside"],
    [["--share", "user", "--uid-map", "0:0"], "--uid-map and --gid-map need a new user namespace, and --share says otherwise"],
    [["--user", "1000x"], "--user 1000x: 1000x is no user id (0 to 4294967294)"],
    [["--user=-1"], "--user -1: -1 is no user id (0 to 4294967294)"],
    [["--user", "4294967295"], "--user 4294967295: 4294967295 is no user id (0 to 4294967294)"],
    [["--user", "0:4294967295"], "--user 0:4294967295: 4294967295 is no group id (0 to 4294967294)"],
    [["--user", "nobody-here"], "--user nobody-here: no user nobody-here in the root's etc/passwd"],
  ];
  for (const [options, message] of cases)
    test(options.join(" "), async () => {
      const { code, stdout, stderr } = await nsrun([...options, "--", "true"]);
      expect({ code, stdout, error: stderr.split("\n")[0] }).toEqual({ code: 125, stdout: "", error: `nsrun: ${message}` });
    });
});

/** An ordinary user whom /etc/subuid grants 65536 ids, in a mount namespace where those files are others: test/as-user.sh. */
const granted = !isRoot && works("sh", "-c", 'grep -q "^$USER:" /etc/subuid && command -v newuidmap');
describe.skipIf(!granted)("an ordinary user with subordinate ids", () => {
  test("has his own id as root and then the granted ones, seen from outside", async () => {
    await using held = await hold([], WAIT);
    const uid = process.getuid!();
    expect(mapOf(held.pid, "uid_map")).toEqual([0, uid, 1, 1, 1000000, 65536]);
    expect(mapOf(held.pid, "gid_map")).toEqual([0, process.getgid!(), 1, 1, 1000000, 65536]);
    expect(status(held.pid, "Groups")).toBe("");
    expect(readFileSync(`/proc/${held.pid}/setgroups`, "utf8")).toBe("allow\n");
  });
  test("may be anybody inside, give files away, and is nobody of the host's", async () => {
    expect(await inside(["--user", "1000:1000"], "id -u; id -g")).toBe("1000\n1000");
    expect(await inside([], "touch /tmp/f; chown 33:34 /tmp/f; stat -c %u:%g /tmp/f")).toBe("33:34");
    await using held = await hold(["--user", "1000"], WAIT);
    expect(status(held.pid, "Uid")).toBe("1000999\t1000999\t1000999\t1000999");
  });
  test("may not take what is not granted", async () => {
    for (const [map, error] of [
      ["0:0", /--uid-map: nsrun-test may use \d+ and 1000000-1065535 \(\/etc\/subuid\)/],
      ["0:1000000:65537", /may use/],
      ["0:999999:2", /may use/],
    ] as const) {
      const { code, stderr } = await nsrun(["--uid-map", map, "--", "true"]);
      expect(stderr).toMatch(error);
      expect(code).toBe(125);
    }
    expect(
      await inside(["--uid-map", `0:${process.getuid!()}`, "--uid-map", "7:1000007:3"], "sed 's/  */ /g' /proc/self/uid_map"),
    ).toBe(` 0 ${process.getuid!()} 1\n 7 1000007 3`);
  });
});

const canHide = skipReason("newuidmap hidden", [
  needsRoot,
  [works("sh", "-c", "command -v newuidmap"), "newuidmap is missing (package uidmap)"],
]);
describe.skipIf(canHide !== undefined)("without a newuidmap that works", () => {
  let home: Temporary;
  let command: string[];
  const ID = "61235";
  beforeAll(async () => {
    home = temporary();
    chmodSync(home.path, 0o755);
    command = await copyOfNsrun(home);
    mkdirSync(home.file("cache"));
    chownSync(home.file("cache"), Number(ID), Number(ID));
    writeFileSync(home.file("ids"), `${ID}:1000000:65536\n`);
    copyFileSync(Bun.which("newuidmap")!, home.file("plain"));
    chmodSync(home.file("plain"), 0o755);
  });
  afterAll(() => home?.[Symbol.dispose]());
  /** In a mount namespace with the grants, and `over` bound over newuidmap. */
  const run = (over: string, args: string[]) => {
    const script = 'for f in subuid subgid; do mount --bind "$1/ids" /etc/$f; done; mount --bind "$2" "$3"; shift 3; exec "$@"';
    const user = ["setpriv", "--reuid", ID, "--regid", ID, "--clear-groups", "env", `NSRUN_CACHE=${home.file("cache")}`];
    return shell([
      "unshare",
      "-m",
      "sh",
      "-c",
      script,
      "sh",
      home.path,
      over,
      Bun.which("newuidmap")!,
      ...user,
      ...command,
      "run",
      ...args,
    ]);
  };
  for (const [how, over, error] of [
    ["missing", "/dev/null", /^nsrun: more than one id needs the program newuidmap, which is not installed\nhint: .*uidmap/],
    [
      "not set-uid",
      "plain",
      /^nsrun: more than one id needs .*newuidmap to be set-uid root, which it is not: chmod u\+s .*\nhint: /,
    ],
  ] as const)
    test(`${how}: one id by default; one line when more is asked for`, async () => {
      const bound = over === "plain" ? home.file("plain") : over;
      const alone = await run(bound, ["--", "cat", "/proc/self/uid_map"]);
      expect({ ...alone, stdout: alone.stdout.trim().split(/\s+/) }).toEqual({ code: 0, stderr: "", stdout: ["0", ID, "1"] });
      const asked = await run(bound, ["--uid-map", `0:${ID}`, "--uid-map", "1:1000000:10", "--", "true"]);
      expect(asked.stderr).toMatch(error);
      expect(asked.code).toBe(125);
    });
});
