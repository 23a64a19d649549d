/**
 * Reliability, measured: many containers one after the other, many at once, many killed. After each of them the machine is as
 * before. `bun test/soak/soak.ts runs 10000`, `… together 200`, `… kills 500`; the live suite runs a short form of each.
 */
import { readdirSync, readFileSync } from "node:fs";
import { run } from "../../src/index.ts";
import { eventually, marked, marker, NSRUN, snapshot } from "../live/helpers.ts";

/** Descriptors, children (zombies too) and resident memory of this process. */
function self(): { descriptors: number; children: number; residentMb: number } {
  const status = readFileSync("/proc/self/status", "utf8");
  return {
    descriptors: readdirSync("/proc/self/fd").length,
    children: readFileSync(`/proc/self/task/${process.pid}/children`, "utf8").split(" ").filter(Boolean).length,
    residentMb: Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024),
  };
}

/** What is left of a run that should leave nothing: throws when anything differs from before. */
async function leavingNothing<T>(work: (mark: string) => Promise<T>): Promise<T> {
  const mark = marker();
  await run(["true"]); // what is made once in a process is made
  const before = { machine: await snapshot(mark), ...self() };
  const result = await work(mark);
  // the kernel removes network namespaces, and the event loop closes its descriptors, a little later
  await eventually("all descriptors to be closed", () => self().descriptors <= before.descriptors);
  const after = { machine: await snapshot(mark), ...self() };
  if (after.children > before.children) throw new Error(`${after.children - before.children} children are left`);
  if (!Bun.deepEquals(after.machine, before.machine))
    throw new Error(`left: ${JSON.stringify(after.machine)} was: ${JSON.stringify(before.machine)}`);
  return result;
}

export interface Figures {
  readonly count: number;
  readonly seconds: number;
  readonly residentMb: number;
}

const seconds = (since: number): number => Math.round(performance.now() - since) / 1000;

/** `count` containers in sequence, in one process; every tenth command fails, every tenth is not found. */
export const runs = (count: number): Promise<Figures> =>
  leavingNothing(async (mark) => {
    const begin = performance.now();
    for (let i = 0; i < count; i++) {
      const kind = i % 10;
      const command = kind === 3 ? ["no-such-command"] : kind === 7 ? ["sh", "-c", "exit 7"] : ["true"];
      const code = await run(command, { name: mark, stdout: "ignore", stderr: "ignore" }).then(
        (result) => result.code,
        (error) => error.exitCode,
      );
      const expected = kind === 3 ? 127 : kind === 7 ? 7 : 0;
      if (code !== expected) throw new Error(`run ${i}: ${code} in place of ${expected}`);
    }
    return { count, seconds: seconds(begin), residentMb: self().residentMb };
  });

/** `count` containers at the same time, alive together, each with an output of its own. */
export const together = (count: number): Promise<Figures> =>
  leavingNothing(async (mark) => {
    const begin = performance.now();
    const results = await Promise.all(
      Array.from({ length: count }, (_, i) => run(["sh", "-c", `sleep 1; echo ${i}`], { name: mark })),
    );
    const wrong = results.findIndex(({ code, stdout }, i) => code !== 0 || stdout !== `${i}\n`);
    if (wrong >= 0) throw new Error(`container ${wrong}: ${JSON.stringify(results[wrong])}`);
    return { count, seconds: seconds(begin), residentMb: self().residentMb };
  });

/** `count` supervisors killed at instants from before their first line to after their command's start; four at a time. */
export const kills = (count: number, span = 90): Promise<Figures> =>
  leavingNothing(async (mark) => {
    const begin = performance.now();
    const one = async () => {
      const own = `${mark}-${marker()}`;
      const argv = [...NSRUN, "run", "--name", own, "--", "sh", "-c", "sleep 600 & setsid sleep 600 & wait", own];
      const child = Bun.spawn(argv, { stdio: ["ignore", "ignore", "ignore"] });
      await Bun.sleep(Math.random() * span);
      child.kill("SIGKILL");
      await child.exited;
      await eventually(`the end of ${own}`, () => marked(own).length === 0, 1000);
    };
    const lane = async (n: number) => {
      for (let i = n; i < count; i += 4) await one();
    };
    await Promise.all([0, 1, 2, 3].map(lane));
    return { count, seconds: seconds(begin), residentMb: self().residentMb };
  });

if (import.meta.main) {
  const modes = { runs, together, kills };
  const [mode = "", count = ""] = process.argv.slice(2);
  const work = modes[mode as keyof typeof modes];
  if (!work || !(Number(count) > 0)) {
    console.error("usage: bun test/soak/soak.ts runs|together|kills COUNT");
    process.exit(2);
  }
  console.log(JSON.stringify({ mode, ...(await work(Number(count))) }));
}
