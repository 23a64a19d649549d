/** --share, --unshare, --join of each namespace, and clocks: witnessed by /proc/PID/ns from outside. */
import { describe, expect, test } from "bun:test";
import { NAMESPACES, type Namespace } from "../../src/index.ts";
import { asRoot, canRun, hold, inside, isRoot, namespacesOf, nsrun, skipReason, WAIT } from "./helpers.ts";

const reason = skipReason("namespaces of nsrun run", [canRun]);

/** The namespaces in which two processes are the same. */
function common(a: number | "self", b: number): Namespace[] {
  const [one, two] = [namespacesOf(a), namespacesOf(b)];
  return NAMESPACES.filter((ns) => one[ns] === two[ns]);
}
/** An ordinary user may join only what the user namespace owns that he joins as well. */
const owner = (pid: number): string[] => (isRoot ? [] : ["--join", `user=${pid}`]);
const sorted = (list: readonly string[]) => [...list].sort();

describe.skipIf(reason !== undefined)("--share", () => {
  for (const ns of NAMESPACES)
    (ns === "user" ? asRoot("an ordinary user makes namespaces only in a user namespace of his own") : test)(
      `${ns} is the caller's own`,
      async () => {
        await using held = await hold(["--share", ns], WAIT);
        expect(sorted(common("self", held.pid))).toEqual(sorted([...new Set<Namespace>(["time", ns])]));
      },
    );
  test("all at once, by a list", async () => {
    await using held = await hold(["--share", NAMESPACES.join(",")], WAIT);
    expect(sorted(common("self", held.pid))).toEqual(sorted(NAMESPACES));
  });
});

describe.skipIf(reason !== undefined)("--unshare", () => {
  test("user and time besides the default ones", async () => {
    await using held = await hold(["--unshare", "user,time"], WAIT);
    expect(common("self", held.pid)).toEqual([]);
  });
  test("user, with the pid, net or ipc namespace still the caller's", async () => {
    for (const ns of ["pid", "net", "ipc"]) {
      const options = ["--unshare", "user", "--share", ns];
      const { code, stdout } = await nsrun([
        ...options,
        "--",
        "sh",
        "-c",
        "test -e /proc/self/stat && test -d /sys/kernel && id -u",
      ]);
      expect([code, stdout]).toEqual([0, "0\n"]);
    }
  });
});

describe.skipIf(reason !== undefined)("--join", () => {
  for (const ns of NAMESPACES.filter((one) => one !== "user" && one !== "mnt")) {
    test(`${ns} of a running container, by pid and by path`, async () => {
      await using first = await hold(["--unshare", "time"], WAIT);
      for (const target of [String(first.pid), `/proc/${first.pid}/ns/${ns}`]) {
        await using second = await hold([...owner(first.pid), "--join", `${ns}=${target}`], WAIT);
        expect(common(first.pid, second.pid)).toEqual(expect.arrayContaining([ns]));
        expect(common(first.pid, second.pid)).not.toContain(ns === "uts" ? "ipc" : "uts");
      }
    });
  }
  test("mnt: the other container's root is seen", async () => {
    await using first = await hold([], "echo here >/only-here; echo ready; read _ || :");
    await using second = await hold([...owner(first.pid), "--join", `mnt=${first.pid}`], WAIT);
    expect(common(first.pid, second.pid)).toContain("mnt");
    expect(await inside([...owner(first.pid), "--join", `mnt=${first.pid}`], "cat /only-here")).toBe("here");
  });
  test("user: with the namespaces that it owns", async () => {
    await using first = await hold(["--unshare", "user"], WAIT);
    await using second = await hold(["--join", `user=${first.pid}`], WAIT);
    expect(common(first.pid, second.pid)).toContain("user");
    const join = ["user", "net", "uts", "ipc"].flatMap((ns) => ["--join", `${ns}=${first.pid}`]);
    await using third = await hold(join, WAIT);
    expect(sorted(common(first.pid, third.pid))).toEqual(sorted(["user", "net", "uts", "ipc", "time"]));
  });
  test("all eight of another container", async () => {
    await using first = await hold(["--unshare", "user,time"], WAIT);
    const join = NAMESPACES.flatMap((ns) => ["--join", `${ns}=${first.pid}`]);
    await using second = await hold(join, WAIT);
    expect(sorted(common(first.pid, second.pid))).toEqual(sorted(NAMESPACES));
  });
  test("--net ns:PATH is the same as --join net=PATH", async () => {
    await using first = await hold([], WAIT);
    await using second = await hold([...owner(first.pid), "--net", `ns:/proc/${first.pid}/ns/net`], WAIT);
    expect(common(first.pid, second.pid)).toContain("net");
  });
});

describe.skipIf(reason !== undefined)("clocks", () => {
  test("--monotonic and --boottime move them, and the namespace is the command's own", async () => {
    const text = await inside(
      ["--monotonic", "1000", "--boottime", "864000"],
      "cat /proc/self/timens_offsets; cut -d. -f1 /proc/uptime",
    );
    const words = text.split(/\s+/);
    expect(words.slice(0, 6)).toEqual(["monotonic", "1000", "0", "boottime", "864000", "0"]);
    expect(Number(words[6])).toBeGreaterThanOrEqual(864000);
    await using held = await hold(["--boottime", "5"], WAIT);
    expect(common("self", held.pid)).toEqual([]);
  });
});
