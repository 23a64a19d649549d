/** Signals of the caller reach the command; orphans inside are reaped. */
import { describe, expect, test } from "bun:test";
import { canRun, hold, inside, marked, skipReason, WAIT } from "./helpers.ts";

const reason = skipReason("signals", [canRun]);
const FORWARDED = ["INT", "TERM", "HUP", "QUIT", "USR1", "USR2", "WINCH", "CONT"] as const;

/** Waits in its builtin `read`, so that a trap runs at once. */
const trap = (signal: string) => `trap 'echo got ${signal}; exit 9' ${signal}; echo ready; while :; do read _ || exit 1; done`;

describe.skipIf(reason !== undefined)("signals of the caller", () => {
  for (const options of [[], ["--no-init"]]) {
    test(`all of them reach the command ${options.join(" ")}`, async () => {
      const got = await Promise.all(
        FORWARDED.map(async (signal) => {
          await using held = await hold(options, trap(signal));
          held.child.kill(`SIG${signal}`);
          return await held.finished();
        }),
      );
      expect(got).toEqual(FORWARDED.map((signal) => ({ code: 9, stdout: `got ${signal}\n`, stderr: "" })));
    });
  }

  test("a command that does not handle TERM dies of it: 143", async () => {
    await using held = await hold([], WAIT);
    held.child.kill("SIGTERM");
    expect(await held.finished()).toEqual({ code: 143, stdout: "", stderr: "" });
  });

  test("one that ignores it lives on, and a hundred signals in a row do no harm", async () => {
    await using held = await hold([], "trap '' TERM; echo ready; read _; exit 5");
    for (let i = 0; i < 100; i++) held.child.kill("SIGTERM");
    held.child.stdin.write("go\n");
    held.child.stdin.end();
    expect(await held.finished()).toEqual({ code: 5, stdout: "", stderr: "" });
  });
});

describe.skipIf(reason !== undefined)("orphans", () => {
  test("fifty orphans are reaped: no zombie is left in the container", async () => {
    const script = `for i in $(seq 50); do (sh -c ':' & exit 0) & done; wait; while [ $(ls -d /proc/[0-9]* 2>/dev/null | wc -l) -gt 4 ]; do :; done; cat /proc/[0-9]*/status 2>/dev/null | grep -c '^State:.Z'; exit 0`;
    expect(await inside([], script)).toBe("0");
  });

  test("what runs on in the background ends with the command", async () => {
    await using held = await hold([], `setsid sh -c 'sleep 600; :' $0 & echo ready; read _`);
    const family = marked("sleep 600; :");
    held.child.stdin.end();
    expect((await held.finished()).code).toBe(1);
    expect(family.filter((pid) => marked("sleep 600; :").includes(pid))).toEqual([]);
  });
});
