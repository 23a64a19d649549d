/** What /proc and /sys show where a pid or network namespace is joined: that one, and nothing of the host's. */
import { describe, expect, test } from "bun:test";
import { canRun, hold, inside, isRoot, needsRoot, nsrun, OWN_NET, skipReason, until, WAIT, works } from "./helpers.ts";

const reason = skipReason("/proc and /sys of joined namespaces", [
  canRun,
  [works(...OWN_NET, "ip", "link", "add", "left", "type", "veth", "peer", "name", "right"), "no veth pairs here"],
]);

/** Root needs to join no user namespace; whoever does has rights over what that one owns, and nothing else. */
const ways = (pid: number): (readonly string[])[] => [...(isRoot ? [[]] : []), ["--join", `user=${pid}`]];

/** A network namespace with interfaces that nobody else has. */
async function network() {
  const child = Bun.spawn([...OWN_NET, "sh", "-c", `ip link add left type veth peer name right; ${WAIT}`], {
    stdin: "pipe",
    stdout: "pipe",
  });
  await until(child.stdout.getReader(), "ready\n");
  return {
    pid: child.pid,
    async [Symbol.asyncDispose]() {
      child.kill();
      await child.exited;
    },
  };
}

describe.skipIf(reason !== undefined)("/proc of a joined pid namespace", () => {
  test("has its processes, and the reader by its own pid", async () => {
    await using first = await hold([], WAIT);
    for (const way of ways(first.pid)) {
      const look = "tr '\\0' ' ' </proc/1/cmdline; echo; ls -d /proc/[0-9]* | wc -l; echo $$; exec readlink /proc/self";
      const [init, count, own, self] = (await inside([...way, "--join", `pid=${first.pid}`], look)).split("\n");
      // the first one's init and shell, ours, ls and wc
      expect({ init, few: Number(count) <= 6, self }).toEqual({ init: "nsrun-init nsrun ", few: true, self: own! });
    }
  });
  test("a new user namespace has no rights over it: an error, not the host's /proc", async () => {
    await using first = await hold([], WAIT);
    const options = isRoot ? ["--unshare", "user"] : [];
    expect(await nsrun([...options, "--join", `pid=${first.pid}`, "--", "ps"])).toEqual({
      code: 125,
      stdout: "",
      stderr: expect.stringMatching(/^nsrun: --join pid: in a new user namespace .*\nhint: .*--join user=.*\n$/),
    });
  });
});

describe.skipIf(reason !== undefined)("/sys of a joined network namespace", () => {
  const look = "ls /sys/class/net; touch /sys/x 2>&1; ls -A /sys/firmware";
  const seen = "left\nlo\nright\ntouch: /sys/x: Read-only file system";
  test("has its interfaces, and is read-only", async () => {
    await using net = await network();
    const options = ["--net", `ns:/proc/${net.pid}/ns/net`];
    if (!isRoot) options.push("--join", `user=${net.pid}`);
    expect(await inside(options, look)).toBe(seen);
  });
  const skip = skipReason("/sys of a joined network namespace, by root", [needsRoot]);
  test.skipIf(skip !== undefined)("by each way to make a root, and in a user namespace that is joined", async () => {
    await using net = await network();
    const options = ["--join", `net=${net.pid}`];
    for (const NSRUN_ROOT_RECIPE of ["paths", "staged"])
      expect(await inside(options, look, { env: { NSRUN_ROOT_RECIPE } })).toBe(seen);
    await using first = await hold([], WAIT);
    expect(await inside(["--join", `user=${first.pid}`, "--join", `net=${first.pid}`], "ls /sys/class/net")).toBe("lo");
  });
});
