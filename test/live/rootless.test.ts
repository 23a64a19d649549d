/** nsrun as an ordinary user without ranges, uid 65534 or ourselves: the same container inside a user namespace; what cannot be is one clear line. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import {
  copyOfNsrun,
  hold,
  inside,
  isRoot,
  NOBODY,
  NSRUN,
  namespacesOf,
  SINGLE_ID,
  shell,
  skipReason,
  smallRoot,
  type Temporary,
  temporary,
  WAIT,
  works,
} from "./helpers.ts";

const reason = skipReason("rootless", [
  [works(...NOBODY, "unshare", "-Ur", "true"), "setpriv is missing, or an ordinary user may not make user namespaces"],
]);

const UID = isRoot ? 65534 : process.getuid!();
/** Ourselves may have ranges. */
const MAPS = isRoot ? [] : SINGLE_ID;
let home: Temporary;
let rootless: string[];
/** nsrun from the user's copy of the sources. */
let command: string[];
const run = (args: string[]) => shell([...rootless, "run", ...MAPS, ...args]);
async function script(options: string[], text: string): Promise<string> {
  const { code, stdout, stderr } = await run([...options, "--", "sh", "-c", text]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout.trimEnd();
}

beforeAll(async () => {
  if (reason !== undefined) return;
  home = temporary();
  chmodSync(home.path, 0o755);
  mkdirSync(home.file("cache"), { mode: 0o700 });
  chownSync(home.file("cache"), UID, UID);
  command = isRoot ? await copyOfNsrun(home) : [...NSRUN];
  rootless = [...NOBODY, "env", `HOME=${home.path}`, `NSRUN_CACHE=${home.file("cache")}`, ...command];
  await run(["true"]);
});
afterAll(() => home?.[Symbol.dispose]());

describe.skipIf(reason !== undefined)("an ordinary user", () => {
  test("is root inside, mapped to himself alone", async () => {
    const text = await script([], "id -u; id -g; cat /proc/self/uid_map /proc/self/gid_map; cat /proc/self/setgroups");
    expect(text.split(/\s+/)).toEqual(["0", "0", "0", `${UID}`, "1", "0", `${UID}`, "1", "deny"]);
  });
  test("has seven namespaces of his own, seen from outside", async () => {
    await using held = await hold(MAPS, WAIT, rootless);
    const [host, box] = [namespacesOf("self"), namespacesOf(held.pid)];
    expect(Object.keys(host).filter((ns) => host[ns] === box[ns])).toEqual(["time"]);
    expect(readFileSync(`/proc/${held.pid}/status`, "utf8")).toMatch(new RegExp(`^Uid:(\t${UID}){4}$`, "m"));
  });
  test("writes, changes and deletes in the throw-away layer", async () => {
    expect(
      await script(
        [],
        "echo x >/new; echo y >>/etc/passwd; rm -r /home; mkdir /etc/d; cat /new; ls -d /home 2>/dev/null || echo gone",
      ),
    ).toBe("x\ngone");
    expect(await script([], "ls -d /new 2>/dev/null || echo pristine")).toBe("pristine");
  });
  test("has loopback up and a usable /dev, proc, sys, pts, shm and mqueue", async () => {
    const text =
      "echo x >/dev/null; head -c3 /dev/zero | wc -c; head -c3 /dev/urandom | wc -c; : <>/dev/ptmx && echo pty; touch /dev/shm/a && echo shm";
    expect(
      await script(
        [],
        `${text}; ip -o link | grep -c 'lo: <LOOPBACK,UP'; ls /sys/class/net; grep -c ' /dev/mqueue ' /proc/mounts; hostname`,
      ),
    ).toBe("3\n3\npty\nshm\n1\nlo\n1\nnsrun");
  });
  test("sees nothing of the host's tree", async () => {
    await using held = await hold(MAPS, WAIT, rootless);
    const places = readFileSync(`/proc/${held.pid}/mounts`, "utf8")
      .trim()
      .split("\n")
      .map((line) => line.split(" ")[1]!);
    expect(places.filter((place) => !/^\/($|(proc|sys|dev|tmp|run)($|\/))/.test(place))).toEqual([]);
  });
  test("gives volumes, writable and ro, and a rootfs of his own with --rw", async () => {
    const root = await smallRoot(home.file("root"));
    await shell(["chown", "-R", `${UID}:${UID}`, root]);
    writeFileSync(home.file("f"), "f\n", { mode: 0o644 });
    expect(
      await script(["-v", `${home.file("f")}:/x/f:ro`, "-v", "/etc:/e:ro"], "cat /x/f; (echo >/e/x) 2>/dev/null || echo no"),
    ).toBe("f\nno");
    expect(await script(["--rootfs", root, "--rw"], "echo mine >/mine; stat -c %u /mine")).toBe("0");
    expect(readFileSync(`${root}/mine`, "utf8")).toBe("mine\n");
    expect(await script(["--rootfs", root, "--read-only"], "(echo >/x) 2>/dev/null || echo no")).toBe("no");
  });
  test("may share the network and the processes", async () => {
    const { stdout, stderr } = await run(["--net", "host", "--", "ls", "/sys/class/net"]);
    expect({ stdout, stderr }).toEqual({
      stdout: (await shell(["ls", "/sys/class/net"])).stdout,
      stderr: expect.stringMatching(/^nsrun: the host's network is shared: .*\n$/),
    });
    expect(Number(await script(["--share", "pid"], "echo $$"))).toBeGreaterThan(2);
  });
  test("gets exit codes and 128+n", async () => {
    expect([(await run(["sh", "-c", "exit 9"])).code, (await run(["sh", "-c", "kill -9 $$"])).code]).toEqual([9, 137]);
  });
  test("leaves nothing of a killed nsrun", async () => {
    await using held = await hold(MAPS, WAIT, rootless);
    held.child.kill("SIGKILL");
  });
});

describe.skipIf(reason !== undefined)("what an ordinary user cannot have is one clear line", () => {
  const REFUSED: [string[], RegExp, RegExp?][] = [
    [["--net", "veth"], /--net veth needs root/, /without root/],
    [["--share", "user"], /clone the container: EPERM/, /--unshare user/],
    [["--user", "5"], /--user 5: uid 5 is not mapped \(mapped: 0\)/, isRoot ? /only the own id is there: .*subuid/ : /^$/],
    [["--rootfs", "host"], /./, /without root/],
    [["--join", "net=1"], /net namespace.*(EACCES|EPERM|no such process)/],
    [["--ulimit", "nofile=9999999"], /EPERM/, /CAP_SYS_RESOURCE/],
  ];
  for (const [options, first, hint] of REFUSED)
    test(options.join(" "), async () => {
      const maps = options.includes("user") ? [] : MAPS;
      const { code, stdout, stderr } = await shell([...rootless, "run", ...maps, ...options, "--", "true"]);
      const [error = "", second = "", ...rest] = stderr.split("\n");
      expect(error).toMatch(/^nsrun: (?!internal)/);
      expect(error).toMatch(first);
      if (hint) expect(second).toMatch(hint);
      expect({ code, stdout, rest: rest.join("") }).toEqual({ code: 125, stdout: "", rest: "" });
    });
  test("a cache that cannot be made", async () => {
    const { code, stderr } = await shell([
      ...rootless.slice(0, -command.length),
      "NSRUN_CACHE=/nope/cache",
      ...command,
      "run",
      "true",
    ]);
    expect({ code, line: stderr.split("\n")[0] }).toEqual({
      code: 125,
      line: "nsrun: cannot make the cache directory /nope/cache: EACCES",
    });
    expect(existsSync("/nope")).toBe(false);
  });
});

describe.skipIf(reason !== undefined)("root of a user namespace, as in an unprivileged container", () => {
  for (const flags of ["-Ur", "-Urm", "-Urmpf --mount-proc"])
    test(`unshare ${flags} nsrun run works`, async () => {
      const mine = home.file(`cache${flags.length}`);
      mkdirSync(mine, { mode: 0o700 });
      const { code, stdout, stderr } = await shell([
        "unshare",
        ...flags.split(" "),
        "env",
        `NSRUN_CACHE=${mine}`,
        ...NSRUN,
        "run",
        "--",
        "id",
        "-u",
      ]);
      expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: "0\n", stderr: "" });
    });
});

describe.skipIf(reason !== undefined)("the host", () => {
  test("is as before: the same run as root still works", async () => {
    expect(await inside([], "id -u")).toBe("0");
  });
});
