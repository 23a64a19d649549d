/** openat2(2) says EAGAIN when anything on the machine is mounted or renamed meanwhile: no start fails for it, in the parent or the child. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { canRun, NSRUN, needsRoot, shell, skipReason, temporary, works } from "./helpers.ts";

const reason = skipReason("openat2 again", [
  needsRoot, // an ordinary user's strace may not trace a new user namespace's setuid mappers
  canRun,
  [works("strace", "-f", "true"), "no strace, or ptrace is forbidden"],
]);

describe.skipIf(reason !== undefined)("openat2's EAGAIN", () => {
  test("three times in each process: the command runs all the same", async () => {
    using dir = temporary();
    const log = dir.file("log");
    const busy = ["strace", "-f", "-o", log, "-e", "trace=openat2", "-e", "inject=openat2:error=EAGAIN:when=1..3"];
    const { code, stdout, stderr } = await shell([...busy, ...NSRUN, "run", "--user", "nobody", "--", "id", "-u"]);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: "65534\n", stderr: "" });
    const injected = readFileSync(log, "utf8").match(/^\d+ +openat2\(\d+, "(etc\/passwd|proc)".*INJECTED/gm) ?? [];
    expect(injected.length).toBe(6); // the parent's look into /etc/passwd, the container's for /proc
  });
});
