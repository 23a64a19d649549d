/** Capabilities, no_new_privs, keyring, limits: what /proc/PID says from outside, and attacks that fail, or not, by them. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, readFileSync } from "node:fs";
import { container } from "../../../src/index.ts";
import { asRoot, canRun, hold, inside, isRoot, NSRUN, nsrun, shell, skipReason, WAIT, works } from "../helpers.ts";
import { Attacks, PRIVILEGE_FIELDS } from "./attacks.ts";

const reason = skipReason("privileges", [canRun, [works("gcc", "--version"), "gcc is not installed"]]);
let attacks: Attacks;
beforeAll(async () => {
  if (reason === undefined) attacks = await Attacks.build();
});
afterAll(() => attacks?.[Symbol.dispose]());

/** The fields of /proc/PID/status in hex without zeros in front. */
function status(pid: number | "self"): Record<(typeof PRIVILEGE_FIELDS)[number], string> {
  const text = readFileSync(`/proc/${pid}/status`, "utf8");
  const field = (name: string) => new RegExp(`^${name}:\\s*0*([0-9a-f]+)$`, "m").exec(text)?.[1] ?? "?";
  return Object.fromEntries(PRIVILEGE_FIELDS.map((name) => [name, field(name)])) as ReturnType<typeof status>;
}
/** The parent of a process as the host sees it. */
const parent = (pid: number): number => Number(/^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);

const EIGHT = "4fb"; // capsh --decode=4fb
const NET_RAW = "2000";
const root = (set: string, more: object = {}) => ({
  CapInh: "0",
  CapPrm: set,
  CapEff: set,
  CapBnd: set,
  CapAmb: "0",
  NoNewPrivs: "1",
  Seccomp: "2",
  ...more,
});
const user = (bounding: string, set: string) => ({ ...root(set), CapInh: set, CapBnd: bounding, CapAmb: set });
const someone = isRoot ? ["--user", "1000:1000"] : ["--user", "33"];

describe.skipIf(reason !== undefined)("from outside", () => {
  const CASES: [string[], object][] = [
    [[], root(EIGHT)],
    [["--no-init"], root(EIGHT)],
    [["--cap-drop", "all"], root("0")],
    [["--cap-drop", "all", "--cap-add", "NET_RAW"], root(NET_RAW)],
    [["--cap-add", "cap_net_raw", "--cap-drop", "chown"], root("24fa")],
    [["--new-privileges"], root(EIGHT, { NoNewPrivs: "0" })],
    [["--seccomp", "none"], root(EIGHT, { Seccomp: "0" })],
  ];
  test.each(CASES)("%p", async (options, sets) => {
    await using held = await hold(options, WAIT);
    expect(status(held.pid)).toEqual(sets as ReturnType<typeof status>);
  });
  asRoot("another user needs more than one id")(
    "another user has nothing, and what is asked for by name in all five sets",
    async () => {
      for (const [options, sets] of [
        [[], user(EIGHT, "0")],
        [["--cap-add", "net_raw"], user("24fb", NET_RAW)],
        [["--cap-add", "net_raw", "--new-privileges"], { ...user("24fb", NET_RAW), NoNewPrivs: "0" }],
        [["--cap-drop", "all"], user("0", "0")],
      ] as const) {
        await using held = await hold([...someone, ...options], WAIT);
        expect(status(held.pid)).toEqual(sets as ReturnType<typeof status>);
      }
    },
  );
  const every = async (options: string[], all: string) => {
    await using held = await hold(["--cap-add", "all", ...options], WAIT);
    expect(status(held.pid)).toMatchObject({ CapPrm: all, CapEff: all, CapBnd: all, CapInh: "0", CapAmb: "0" });
  };
  test("--cap-add all is all that there is, in a user namespace", () => every([], "1ffffffffff"));
  asRoot("else there is always a user namespace")("--cap-add all is the caller's own, in his user namespace", () =>
    every(["--userns", "host"], status("self").CapPrm),
  );
  test("pid 1 keeps CAP_KILL and CAP_SYS_PTRACE, no_new_privs, and a filter of its own", async () => {
    await using held = await hold(["--cap-add", "all", "--new-privileges"], WAIT);
    const init = status(parent(held.pid));
    expect(init).toMatchObject({ CapInh: "0", CapPrm: "80020", CapEff: "80020", CapAmb: "0", NoNewPrivs: "1", Seccomp: "2" });
  });
  test("what joins a container has the same as what began it", async () => {
    await using box = await container({});
    const mine = await box.exec(["cat", "/proc/self/status"]);
    for (const [field, value] of Object.entries(root(EIGHT)))
      expect(mine.stdout).toMatch(new RegExp(`^${field}:\\s*0*${value}$`, "m"));
    const init = status(box.pid);
    expect(init).toMatchObject({ CapPrm: "80020", CapEff: "80020", NoNewPrivs: "1", Seccomp: "2" });
  });
  test("limits: 1024:524288 open files as far as the caller's reach, no core; --ulimit has the last word", async () => {
    const limits = async (options: string[]) => {
      await using held = await hold(options, WAIT);
      const text = readFileSync(`/proc/${held.pid}/limits`, "utf8");
      return ["Max open files", "Max core file size"].map((name) =>
        new RegExp(`^${name}\\s+(\\S+)\\s+(\\S+)`, "m").exec(text)?.slice(1),
      );
    };
    const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
    const reach = String(Math.min(524288, Number(hard)));
    expect(await limits([])).toEqual([["1024", reach], ["0", "0"]]); // biome-ignore format: pairs
    expect(await limits(["--ulimit", "nofile=64:128", "--ulimit", "core=0:1"])).toEqual([["64", "128"], ["0", "1"]]); // biome-ignore format: pairs
    const { stdout } = await shell([
      "sh",
      "-c",
      `ulimit -n 300; exec "$@"`,
      "sh",
      ...NSRUN,
      "run",
      "sh",
      "-c",
      "ulimit -Sn; ulimit -Hn",
    ]);
    expect(stdout).toBe("300\n300\n");
  });
});

describe.skipIf(reason !== undefined)("attacks", () => {
  test("what the eight do not cover is refused by the kernel itself, and works with the capability", async () => {
    const raw = ["raw_socket", "ping_socket"];
    expect(await attacks.run([], raw)).toEqual({ raw_socket: "EPERM", ping_socket: "ok" });
    expect(await attacks.run(["--cap-add", "net_raw"], raw)).toEqual({ raw_socket: "ok", ping_socket: "ok" });
    const mount = "mount -t tmpfs t /mnt 2>/dev/null && echo mounted || echo refused";
    expect(await inside(["--seccomp", "none"], mount)).toBe("refused");
    expect(await inside(["--seccomp", "none", "--cap-add", "sys_admin"], mount)).toBe("mounted");
  });
  test("pid 1 cannot be traced, nor stopped by that; who may trace everybody can", async () => {
    for (const options of [[], ["--cap-drop", "all"], ["--seccomp", "none"]])
      expect(await attacks.run(options, ["trace_pid1"])).toEqual({ trace_pid1: "EPERM" });
    expect(await attacks.run(["--cap-add", "sys_ptrace"], ["trace_pid1"])).toEqual({ trace_pid1: "ok" });
  });
  asRoot("set-id programs need more than one id")("a set-id program gives nothing; with --new-privileges it does", async () => {
    using dir = (await Attacks.build()).dir;
    chmodSync(dir.file("attack"), 0o4755);
    const run = async (options: string[]) =>
      (await nsrun([...someone, ...options, "-v", `${dir.path}:/x`, "--", "/x/attack", "euid"])).stdout;
    expect(await run([])).toBe("euid 1000\n");
    expect(await run(["--new-privileges"])).toBe("euid 0\n");
  });
  test("capabilities that the caller has not got, and names that are none", async () => {
    const { code, stderr } = await nsrun(["--cap-add", "net_rwa", "true"]);
    expect({ code, stderr }).toEqual({
      code: 125,
      stderr: "nsrun: --cap-add net_rwa: unknown capability\nhint: did you mean net_raw?\n",
    });
  });
});
