/** A kill of any part of nsrun, at any instant, leaves nothing within a second. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import {
  CHECKOUT,
  canRun,
  eventually,
  hold,
  marked,
  marker,
  NSRUN,
  PATIENCE,
  parentOf,
  processes,
  skipReason,
  WAIT,
} from "./helpers.ts";

const reason = skipReason("kills", [canRun]);
const WITHIN = 1000; // what the contract gives a killed nsrun's container to be gone
/** Milliseconds for tests of many kills. */
const LIMIT = 60_000 * PATIENCE;

const mounts = () => readFileSync("/proc/self/mounts", "utf8");

const childrenOf = (pid: number): number[] => [...processes().keys()].filter((one) => parentOf(one) === pid);

/** In the process table, and more than a zombie that its parent has not looked at. */
function alive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

/** nsrun with a command that lives on, and the name by which all processes of its container are found. */
function sleeper() {
  const mark = marker();
  // the name is pid 1's argument and, as $0, the command's
  const command = [...NSRUN, "run", "--name", mark, "--", "sh", "-c", "sleep 600 & setsid sleep 600 & wait", mark];
  return { mark, child: Bun.spawn(command, { cwd: CHECKOUT, stdio: ["ignore", "ignore", "ignore"] }) };
}

/** Looks without a pause, so that the caller comes as early as can be. */
function firstChild(pid: number): number {
  const end = performance.now() + 10_000;
  for (;;) {
    const first = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ")[0]);
    if (first > 0) return first;
    if (performance.now() > end) throw new Error("nsrun has no child");
  }
}

/** Waits until no process of `mark` is left; kills what stays, so that one leak does not hide in the next test. */
async function gone(mark: string): Promise<void> {
  try {
    // a process in the middle of its exec shows no arguments: there must be none for a while
    let since = performance.now();
    await eventually(
      `the end of all processes of ${mark}`,
      () => {
        if (marked(mark).length > 0) since = performance.now();
        return performance.now() - since > 50 * PATIENCE;
      },
      WITHIN * PATIENCE,
    );
  } catch (error) {
    for (const pid of marked(mark)) process.kill(pid, "SIGKILL");
    throw error;
  }
}

describe.skipIf(reason !== undefined)("kill -9", () => {
  test(
    "of nsrun at thirty different instants: within a second nothing of it is left",
    async () => {
      const before = mounts();
      for (let i = 0; i < 30; i++) {
        const { child, mark } = sleeper();
        await Bun.sleep(i * 3); // not a wait for anything: the instants themselves are what is tested
        child.kill("SIGKILL");
        await child.exited;
        await gone(mark);
      }
      expect(mounts()).toBe(before);
    },
    LIMIT,
  );

  test(
    "of nsrun in the very moment that its first child appears, thirty times",
    async () => {
      for (let i = 0; i < 30; i++) {
        const { child, mark } = sleeper();
        firstChild(child.pid);
        child.kill("SIGKILL");
        await child.exited;
        await gone(mark);
      }
    },
    LIMIT,
  );

  test(
    "of the stage in the very moment that it appears: 125, and nothing is left",
    async () => {
      const codes: number[] = [];
      for (let i = 0; i < 20; i++) {
        const { child, mark } = sleeper();
        process.kill(firstChild(child.pid), "SIGKILL");
        codes.push(await Promise.race([child.exited, Bun.sleep(5 * WITHIN).then(() => -1)]));
        await gone(mark);
      }
      expect(codes).toEqual(codes.map(() => 125));
    },
    LIMIT,
  );

  test("of nsrun while the command ignores everything", async () => {
    await using held = await hold([], "trap '' INT TERM HUP QUIT USR1; (trap '' TERM HUP; sleep 600) & echo ready; read _");
    held.child.kill("SIGKILL");
    await eventually("its end", () => !alive(held.pid), WITHIN);
  });

  test("of the stage, the parent of the container's init: one line, 125, nothing left", async () => {
    await using held = await hold([], WAIT);
    const stage = parentOf(parentOf(held.pid));
    expect(parentOf(stage)).toBe(held.child.pid);
    process.kill(stage, "SIGKILL");
    const { code, stderr } = await held.finished();
    expect({ code, stderr }).toEqual({
      code: 125,
      stderr: "nsrun: the container's watcher was killed\nhint: the container was ended with it\n",
    });
    await eventually("its end", () => !alive(held.pid), WITHIN);
  });

  test("of the container's init: 137", async () => {
    await using held = await hold([], WAIT);
    process.kill(parentOf(held.pid), "SIGKILL");
    expect(await held.finished()).toEqual({ code: 137, stdout: "", stderr: "" });
  });

  test("of nsrun with a shared pid namespace: what the command started in the background goes as well", async () => {
    await using held = await hold(["--share", "pid"], `setsid sh -c 'sleep 600; :' $0 & echo ready; read _`);
    const mine = () => [...marked("-c sleep 600; :"), held.pid].filter(alive);
    held.child.kill("SIGKILL");
    try {
      await eventually("its end", () => mine().length === 0, WITHIN);
    } finally {
      for (const pid of mine()) for (const one of [...childrenOf(pid), pid]) process.kill(one, "SIGKILL");
    }
  });
});

describe.skipIf(reason !== undefined)("a TERM", () => {
  test("one that comes while the container is being made is not lost, and leaves nothing", async () => {
    const codes: number[] = [];
    for (let i = 0; i < 20; i++) {
      const { child, mark } = sleeper();
      firstChild(child.pid);
      child.kill("SIGTERM");
      codes.push(await child.exited);
      await gone(mark);
    }
    expect(codes).toEqual(codes.map(() => 143));
  });
});
