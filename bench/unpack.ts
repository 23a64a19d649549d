/**
 * `bun bench/unpack.ts [ROUNDS] [DIR] [SUFFIXES]`: `nsrun unpack` beside `tar -xpf`, 200 MB of program code as few and as many
 * files, plain and compressed, in turns. DIR: where to work (about 1 GB; removed); SUFFIXES: "plain,.gz,.zst,.xz". Nothing here is
 * a timed test: a missed target is printed.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { figure, type Row, ratio, render } from "./table.ts";

const TOTAL = 200 * 2 ** 20;
/** Files of this many bytes: a root of programs, and one of modules and headers. */
const SETS = { large: 1 << 20, small: 1 << 13 } as const;
const TOOLS = { plain: [], ".gz": ["gzip", "-k"], ".zst": ["zstd", "-qk"], ".xz": ["xz", "-k1", "-T0"] } as const;
const MOST = 1.5;
type Chosen = readonly (readonly [string, readonly string[]])[];

function must(argv: readonly string[]): void {
  const done = Bun.spawnSync([...argv], { stdout: "ignore", stderr: "pipe" });
  if (done.exitCode !== 0) throw new Error(`${argv.join(" ")}: ${done.stderr}`);
}

/** Bun's own executable, over and over, cut into files of `size` bytes, 256 to a directory. */
async function makeArchive(dir: string, name: string, size: number, chosen: Chosen): Promise<string> {
  const source = join(dir, `source-${name}`);
  const code = await Bun.file(process.execPath).bytes();
  for (let at = 0, count = 0; at < TOTAL; at += size, count++) {
    const parent = join(source, `d${count >> 8}`);
    if ((count & 255) === 0) mkdirSync(parent, { recursive: true });
    const from = at % (code.length - size);
    writeFileSync(join(parent, `file-${count}`), code.subarray(from, from + size));
  }
  const archive = join(dir, `${name}.tar`);
  must(["tar", "-C", source, "-cf", archive, "."]);
  rmSync(source, { recursive: true });
  for (const [suffix, tool] of chosen) if (suffix !== "plain") must([...tool, archive]);
  return archive;
}

/** Microseconds of one run into an empty directory, which is removed untimed. */
function timed(argv: readonly string[], target: string): number {
  mkdirSync(target);
  const began = performance.now();
  must(argv);
  const took = (performance.now() - began) * 1000;
  rmSync(target, { recursive: true });
  return took;
}

async function main(rounds: number, where: string, chosen: Chosen): Promise<void> {
  const dir = mkdtempSync(join(where, "nsrun-bench-"));
  const built = join(import.meta.dir, "../dist/nsrun");
  const nsrun = existsSync(built) ? [built] : [process.execPath, join(import.meta.dir, "../src/cmd/main.ts")];
  try {
    const rows: Row[] = [];
    const ratios = [];
    for (const [name, size] of Object.entries(SETS)) {
      const archive = await makeArchive(dir, name, size, chosen);
      must(["sync"]); // the archives' own pages are not written in the middle of a row
      for (const [suffix] of chosen) {
        const file = suffix === "plain" ? archive : archive + suffix;
        const target = join(dir, "target");
        const [ours, theirs]: [number[], number[]] = [[], []];
        for (let round = 0; round < rounds; round++) {
          theirs.push(timed(["tar", "-C", target, "-xpf", file], target));
          ours.push(timed([...nsrun, "unpack", file, target], target));
        }
        const [us, tar] = [`nsrun unpack ${basename(file)}`, `tar -xpf ${basename(file)}`];
        rows.push(figure(us, ours), figure(tar, theirs));
        ratios.push(...ratio(rows, us, tar, { most: MOST }));
      }
    }
    console.log(render({ title: `200 MB unpacked (${nsrun.join(" ")})`, rows, ratios }));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const asked = (process.argv[4] ?? Object.keys(TOOLS).join()).split(",");
const chosen = Object.entries(TOOLS).filter(([suffix]) => asked.includes(suffix));
await main(Number(process.argv[2] ?? 7), process.argv[3] ?? tmpdir(), chosen);
