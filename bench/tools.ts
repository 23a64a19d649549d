/** What has to be built before anything can be measured. */
import { existsSync, mkdirSync } from "node:fs";
import { OUT } from "./server.ts";

const ROOT = `${import.meta.dir}/..`;
export const NSRUN = `${ROOT}/dist/nsrun`;
export const EMPTY = `${OUT}/empty`;

function command(argv: readonly string[]): void {
  const { exitCode, stderr } = Bun.spawnSync([...argv], { cwd: ROOT, stdout: "ignore", stderr: "pipe" });
  if (exitCode !== 0) throw new Error(`${argv.join(" ")}: exit code ${exitCode}\n${stderr}`);
}

function buildC(): void {
  if (!Bun.which("gcc")) throw new Error("gcc not found: install the package gcc (and libc6-dev, linux-libc-dev)");
  for (const name of ["spawn", "start", "veth"]) {
    command(["gcc", "-O2", "-Wall", "-o", `${OUT}/${name}`, `${import.meta.dir}/${name}.c`]);
  }
}

async function buildEmpty(): Promise<void> {
  if (existsSync(EMPTY)) return;
  await Bun.write(`${OUT}/empty.ts`, "");
  command([process.execPath, "build", "--compile", "--minify", "--bytecode", `--outfile=${EMPTY}`, `${OUT}/empty.ts`]);
}

/** The C programs, an empty Bun program, and dist/nsrun where it is missing (an old one is taken as it is). */
export async function build(): Promise<void> {
  mkdirSync(OUT, { recursive: true });
  buildC();
  await buildEmpty();
  if (!existsSync(NSRUN)) command([process.execPath, "scripts/build.ts"]);
}

/** The first line of `argv`'s output, undefined when it is not installed. */
export function firstLine(argv: readonly string[]): string | undefined {
  const [program = ""] = argv;
  if (!Bun.which(program)) return undefined;
  return Bun.spawnSync([...argv], { stderr: "ignore" })
    .stdout.toString()
    .split("\n")[0];
}
