/** User namespaces that are refused for real: by a limit, by a masked /proc. One line, the knob and the remedy, and no hanging. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { NSRUN, needsRoot, shell, skipReason, type Temporary, temporary, works } from "./helpers.ts";

const reason = skipReason("refused namespaces", [needsRoot, [works("unshare", "-Urm", "true"), "no user namespaces here"]]);
let dir: Temporary;
beforeAll(() => {
  dir = temporary();
  mkdirSync(dir.file("cache"), { mode: 0o700 });
});
afterAll(() => dir[Symbol.dispose]());

/** nsrun as root of a new user namespace with a /proc of its own, after `before`. */
async function nested(before: string, args: string, prefix = "") {
  const script = `${before}; exec env NSRUN_CACHE=${dir.file("cache")} ${prefix} ${NSRUN.join(" ")} run ${args}`;
  const { code, stdout, stderr } = await shell(["unshare", "-Urmpf", "--mount-proc", "sh", "-c", script]);
  const [error = "", hint = "", ...rest] = stderr.split("\n");
  return { code, stdout, error, hint, rest };
}

describe.skipIf(reason !== undefined)("namespaces refused inside a user namespace", () => {
  const MASK = "mount --bind /dev/null /proc/timer_list; mount -t tmpfs t /proc/irq";
  test("max_user_namespaces=0", async () => {
    const { error, hint, ...rest } = await nested("echo 0 >/proc/sys/user/max_user_namespaces", "--unshare user -- true");
    expect(error).toMatch(/clone the container: ENOSPC/);
    expect(hint).toMatch(/user\.max_user_namespaces is 0 here.*sysctl user\.max_user_namespaces=/);
    expect(rest).toEqual({ code: 125, stdout: "", rest: [""] });
  });
  test("a limit that is used up", async () => {
    const { error, hint, code } = await nested("echo 1 >/proc/sys/user/max_net_namespaces", "-- true", "unshare -n");
    expect(error).toMatch(/clone the container: ENOSPC/);
    expect(hint).toMatch(/the lowest is user\.max_net_namespaces=1/);
    expect(code).toBe(125);
  });
  test("a masked /proc: what masks it is named, and --share pid is a way out", async () => {
    const { error, hint, ...rest } = await nested(MASK, "--unshare user -- true");
    expect(error).toMatch(/mount proc: EPERM/);
    expect(hint).toMatch(/masked parts of \/proc \(\/proc\/irq \/proc\/timer_list\).*--share pid/);
    expect(rest).toEqual({ code: 125, stdout: "", rest: [""] });
    expect(await nested(MASK, "--unshare user --share pid -- echo works")).toEqual({
      code: 0,
      stdout: "works\n",
      error: "",
      hint: "",
      rest: [],
    });
  });
});
