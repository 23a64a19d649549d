/** Two hundred kills of nsrun at random instants: plain, with a terminal, with a pair of interfaces. Nothing is left of any. */
import { describe, expect, test } from "bun:test";
import { canRun, ENTER_USER, eventually, marked, marker, NSRUN, OWN_NET, shell, skipReason, snapshot } from "./helpers.ts";

const reason = skipReason("random kills", [canRun]);

/** Numerical Recipes' generator: the seed of a failing run is printed, and gives the same instants again. */
function instants(seed: number) {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const SPAN = 90; // ms: from before the first line of JavaScript to well after the command's start

async function killed(argv: readonly string[], at: number): Promise<void> {
  const mark = marker();
  const child = Bun.spawn([...argv, "--name", mark, "--", "sh", "-c", "sleep 600 & setsid sleep 600 & wait", mark], {
    stdio: ["ignore", "ignore", "ignore"],
  });
  await Bun.sleep(at * SPAN);
  child.kill("SIGKILL");
  await child.exited;
  try {
    await eventually(`the end of all processes of ${mark}`, () => marked(mark).length === 0, 1000);
  } finally {
    for (const pid of marked(mark)) process.kill(pid, "SIGKILL");
  }
}

/** `count` kills, four at a time. */
async function storm(count: number, argv: readonly string[]): Promise<void> {
  const seed = Date.now() >>> 0;
  const random = instants(seed);
  console.log(`seed ${seed}`);
  const times = Array.from({ length: count }, random);
  await Promise.all(
    [0, 1, 2, 3].map(async (lane) => {
      for (let i = lane; i < count; i += 4) await killed(argv, times[i]!);
    }),
  );
}

describe.skipIf(reason !== undefined)("kill -9 at random", () => {
  test("120 of plain containers and 40 with a terminal", async () => {
    const before = await snapshot();
    await storm(120, [...NSRUN, "run"]);
    await storm(40, [...NSRUN, "run", "-t"]);
    expect(await snapshot()).toEqual(before);
  }, 120_000);
  test("40 with --net veth: no interface is left", async () => {
    const script = `ip link set lo up; echo $$; read _; ip -j link`;
    const own = Bun.spawn([...OWN_NET, "sh", "-c", script], { stdin: "pipe", stdout: "pipe" });
    const reader = own.stdout.getReader();
    const pid = new TextDecoder().decode((await reader.read()).value).trim();
    await storm(40, ["nsenter", ...ENTER_USER, "-t", pid, "-n", ...NSRUN, "run", "--net", "veth"]);
    const links = async () => (await shell(["nsenter", ...ENTER_USER, "-t", pid, "-n", "ls", "/proc/self/net/dev_snmp6"])).stdout;
    for (let left = await links(); left.trim() !== "lo"; left = await links()) {
      expect(left).toMatch(/nsr/); // the kernel removes pairs in the background; a test's timeout ends the wait
      await Bun.sleep(20);
    }
    own.stdin.write("\n");
    own.stdin.end();
    await own.exited;
  }, 60_000);
});
