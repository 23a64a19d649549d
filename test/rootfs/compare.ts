/** The same archive through GNU tar, bsdtar and nsrun. */
import { expect } from "bun:test";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { unpackFile } from "../../src/rootfs/archive.ts";
import type { Place } from "./tar-writer.ts";

export const root = process.geteuid?.() === 0;
export const TOOLS = ["tar", "bsdtar"].filter((tool) => Bun.which(tool));
if (TOOLS.length < 2) console.log("skipped: bsdtar is not installed (Debian's package libarchive-tools)");

export function run(argv: readonly string[], cwd?: string): string {
  const done = Bun.spawnSync([...argv], { ...(cwd ? { cwd } : {}), stderr: "pipe", env: { ...process.env, LC_ALL: "C.UTF-8" } });
  if (done.exitCode !== 0) throw new Error(`${argv.join(" ")}: ${done.stderr}`);
  return done.stdout.toString("latin1");
}

/** Names, kinds, modes, owners, links, sizes, times (of directories only with `dirTimes`), contents. */
function listing(dir: string, dirTimes: boolean): string[] {
  const what = "%p %y %m %U:%G %n %l";
  const times = dirTimes ? "" : "-not -type d";
  const lines = [
    run(["find", ".", "-printf", `${what}\\n`], dir),
    run(["find", ".", "-mindepth", "1", ...times.split(" ").filter(Boolean), "-printf", "%p %T@\\n"], dir),
    run(["find", ".", "-type", "f", "-readable", "-exec", "cksum", "{}", "+"], dir),
  ];
  return lines.join("").split("\n").sort();
}

/** Unpacks `archive` with each tool and with nsrun into directories of their own and compares. */
export async function compare(place: Place, archive: string, dirTimes: boolean, tools = TOOLS): Promise<void> {
  const into = (name: string): string => {
    const dir = join(place.target, `out-${name}`);
    rmSync(dir, { recursive: true, force: true });
    mkdirSync(dir, { mode: 0o755 });
    return dir;
  };
  const ours = into("nsrun");
  await unpackFile(archive, ours, { setid: true });
  const made = listing(ours, dirTimes);
  for (const tool of tools) {
    const dir = into(tool);
    run([tool, "-C", dir, "-xpf", archive]);
    expect(made, `as ${tool} unpacks it`).toEqual(listing(dir, dirTimes));
  }
}
