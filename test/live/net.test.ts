/** src/net against the real kernel, each scenario alone in a fresh network namespace; the machine's own is only looked at. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";

const UNSHARE = process.getuid?.() === 0 ? ["unshare", "-n"] : ["unshare", "-r", "-n"];
const SCENARIOS = new URL("../net/netns/scenarios.ts", import.meta.url).pathname;

function missing(): string | undefined {
  for (const tool of ["unshare", "nsenter", "ip", "bash"]) if (!Bun.which(tool)) return `${tool} is not installed`;
  const { exitCode, stderr } = Bun.spawnSync([...UNSHARE, "ip", "link", "add", "nsr0", "type", "veth", "peer", "name", "nsr1"]);
  return exitCode === 0 ? undefined : `no veth pair in a new network namespace: ${stderr.toString().trim()}`;
}
const reason = missing();
if (reason) console.log(`skip: live tests of src/net: ${reason}`);

async function run(scenario: string) {
  const child = Bun.spawn([...UNSHARE, process.execPath, SCENARIOS, scenario], { stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr, exitCode] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { stdout, stderr, exitCode };
}

/** What must be the same afterwards: names of links, addresses, routes, abstract sockets of ours. */
const machine = (): string[] => [
  readFileSync("/proc/net/dev", "utf8").replaceAll(/:.*/g, ""),
  readFileSync("/proc/net/route", "utf8"),
  readFileSync("/proc/net/fib_trie", "utf8"),
  ...(readFileSync("/proc/net/unix", "utf8").match(/@nsrun\/.*/g) ?? []),
];

describe.skipIf(reason !== undefined)("rtnetlink", () => {
  let before: string[] = [];
  beforeAll(() => {
    before = machine();
  });
  afterAll(() => {
    expect(machine()).toEqual(before);
  });
  for (const scenario of ["pair", "errors", "batch", "lists", "elsewhere", "reserve"])
    test(scenario, async () => {
      expect(await run(scenario)).toEqual({ stdout: "", stderr: "", exitCode: 0 });
    });
  test("lost: a thread that cannot return to its network namespace ends the process", async () => {
    const stderr = "nsrun: cannot return to the own network namespace: EBADF\n";
    expect(await run("lost")).toEqual({ stdout: "", stderr, exitCode: 125 });
  });
});
