/** `bun run bench [RUNS]`: nsrun beside its peers and beside C. A table, and bench/out/results.json. Needs root. */
import { cpus, loadavg, release } from "node:os";
import { busyboxRoot } from "../src/rootfs/busybox.ts";
import { help, inARow, inProcess, rootless, terminal, vethPair, wholeProcesses } from "./sections.ts";
import { OUT } from "./server.ts";
import { render, type Section } from "./table.ts";
import { build, firstLine } from "./tools.ts";

const LEAST = 30;

const machine = () => ({
  date: new Date().toISOString(),
  cpu: `${cpus().length} x ${cpus()[0]?.model ?? "unknown"}`,
  kernel: release(),
  load: loadavg()[0]?.toFixed(1),
  bun: Bun.version,
  gcc: firstLine(["gcc", "--version"]),
  unshare: firstLine(["unshare", "--version"]),
  bwrap: firstLine(["bwrap", "--version"]),
  crun: firstLine(["crun", "--version"]),
  runc: firstLine(["runc", "--version"]),
  ip: firstLine(["ip", "-V"]),
});

async function main(runs: number): Promise<void> {
  await build();
  const about = machine();
  for (const [key, value] of Object.entries(about)) console.log(`${key.padEnd(8)} ${value ?? "not installed"}`);
  const { dir } = await busyboxRoot({ say: console.error });
  const parts = [
    () => wholeProcesses(dir, runs),
    () => inARow(dir, runs),
    () => rootless(dir, runs),
    () => inProcess(dir, runs),
    () => vethPair(runs),
    () => terminal(runs),
    () => help(runs),
  ];
  const sections: Section[] = [];
  for (const part of parts) {
    const section = await part();
    sections.push(section);
    console.log(`\n${render(section)}`);
  }
  await Bun.write(`${OUT}/results.json`, `${JSON.stringify({ machine: about, sections }, null, 2)}\n`);
}

const runs = Number(process.argv[2] ?? 40);
if (process.geteuid?.() !== 0) {
  console.error("bench: needs root: it makes namespaces, mounts and links as nsrun does for root");
  process.exitCode = 1;
} else if (!(runs >= LEAST)) {
  console.error(`bench: ${process.argv[2]}: expected a number of runs, at least ${LEAST}`);
  process.exitCode = 2;
} else await main(runs);
