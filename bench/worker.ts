/** The library under measurement, in a Bun process of its own: worker.ts safe|init|no-init|veth [MEGABYTES of heap held]. */
import { runParent, Slots } from "../src/container/slots.ts";
import { completeSpec } from "../src/container/spec.ts";
import { type ContainerOptions, start } from "../src/index.ts";
import { buildPlan } from "../src/plan/build.ts";

type Operation = () => Promise<readonly number[]>;

const us = (since: number): number => (performance.now() - since) * 1000;

/** What start.c does: the namespaces and mounts, none of the defences. */
const AS_IN_C: ContainerOptions = {
  userns: "host",
  capAdd: ["all"],
  seccomp: "none",
  unmask: ["all"],
  newKeyring: false,
  newPrivileges: true,
};

/** Exit status, microseconds to the result, microseconds until nothing is left. */
async function once(options: ContainerOptions): Promise<readonly number[]> {
  const begin = performance.now();
  const running = await start(["/bin/true"], { stdout: "ignore", stderr: "ignore", ...options });
  const { code } = await running.result;
  const result = us(begin);
  await running.closed;
  return [code, result, us(begin)];
}

/** A process in a network namespace of its own, until its stdin is closed. */
async function holder() {
  const process = Bun.spawn(["unshare", "-n", "sh", "-c", "echo; read x"], { stdin: "pipe", stdout: "pipe" });
  await process.stdout.getReader().read();
  return process;
}

/** Exit status, microseconds of what `--net veth` does between clone and go, the same with choosing the addresses. */
async function veth(): Promise<readonly number[]> {
  const held = await holder();
  const begin = performance.now();
  const { spec, driver, release } = await completeSpec(["/bin/true"], { ...AS_IN_C, net: "veth" }, [
    "inherit",
    "inherit",
    "inherit",
  ]);
  const slots = new Slots(driver);
  slots.set("pid", held.pid);
  const plan = buildPlan(spec);
  const chosen = performance.now();
  runParent(plan, plan.between, slots);
  const times = [0, us(chosen), us(begin)];
  slots.close();
  release();
  held.stdin.end();
  await held.exited;
  return times;
}

const [mode = "", megabytes = "0"] = process.argv.slice(2);
const operations: Record<string, Operation> = {
  safe: () => once({}),
  init: () => once(AS_IN_C),
  "no-init": () => once({ ...AS_IN_C, init: false }),
  veth,
};
const operation = operations[mode];
if (!operation) throw new Error(`unknown mode: ${mode}`);
const ballast = Buffer.alloc(Number(megabytes) * 2 ** 20, 1);

for await (const line of console) {
  if (line === "") continue; // Bun gives one more at the end
  const [status = 1, ...times] = await operation();
  console.log([status, ...times.map((time) => time.toFixed(1))].join(" "));
}
if (ballast.length !== Number(megabytes) * 2 ** 20) throw new Error("the ballast was lost");
