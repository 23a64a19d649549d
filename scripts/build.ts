/**
 * `bun run build`: dist/nsrun, one executable file with Bun, nsrun and (where one is found) a static busybox in it, and its
 * man page dist/nsrun.1.
 * Options: --target=bun-linux-arm64 with --runtime=FILE for another architecture; --no-busybox.
 */
import { mkdirSync, statSync } from "node:fs";
import { parseArgs } from "node:util";
import type { BunPlugin } from "bun";
import { oneChunk } from "./chunks.ts";
import { builtPage } from "./man.ts";

const { values } = parseArgs({
  options: {
    target: { type: "string" },
    runtime: { type: "string" },
    outfile: { type: "string", default: "dist/nsrun" },
    busybox: { type: "boolean", default: true },
  },
  allowNegative: true,
});

/** The module that src/rootfs/embedded.ts is replaced by: the busybox as a file of the executable, its applets as data. */
async function embedded(): Promise<string | undefined> {
  if (!values.busybox) return undefined;
  const { findBusybox } = await import("../src/rootfs/busybox.ts");
  const { appletsOf } = await import("../src/rootfs/skeleton.ts");
  const busybox = await findBusybox({ say: (text) => console.error(text) });
  const applets = appletsOf(await Bun.file(busybox.file).bytes());
  console.error(`with busybox ${busybox.file} (${applets.length} applets)`);
  return `import file from ${JSON.stringify(busybox.file)} with { type: "file" };
export const embeddedBusybox = file;
export const embeddedApplets = ${JSON.stringify(applets)};`;
}

/** The trampoline's machine code, when it is built for the architecture that builds it. */
async function compiled(): Promise<string | undefined> {
  if (values.target) return undefined;
  const { native } = await import("../src/ffi/native.ts");
  const { code, offsets } = native();
  return `export const machineCode = ${JSON.stringify({ code: Buffer.from(code).toString("base64"), ...offsets })};`;
}

/** Modules whose contents are made here. */
const machineCode = await compiled();
const made: readonly (readonly [RegExp, string | undefined, "ts" | "text"])[] = [
  [/rootfs\/embedded\.ts$/, await embedded(), "ts"],
  [/ffi\/machine-code\.ts$/, machineCode, "ts"],
  [/ffi\/[a-z]+\.c$/, machineCode === undefined ? undefined : "", "text"], // it is compiled already
];
mkdirSync("dist", { recursive: true });
const result = await Bun.build({
  entrypoints: ["src/cmd/main.ts"],
  compile: {
    outfile: values.outfile,
    // .env and bunfig.toml of the directory nsrun is started in are not nsrun's configuration
    autoloadDotenv: false,
    autoloadBunfig: false,
    // a start runs everything once: compiling what is called 40 times costs more than it saves (see docs/design/0005)
    jitPolicy: 100,
    ...(values.target ? { target: values.target as Bun.Build.CompileTarget } : {}),
    ...(values.runtime ? { executablePath: values.runtime } : {}),
  },
  // not minified: measured 1 ms slower a start with bytecode. Split, so that commander and src/net stay out of the way to run
  bytecode: true,
  splitting: true,
  format: "esm",
  plugins: [
    ...made.flatMap(([filter, contents, loader]): BunPlugin[] =>
      contents === undefined
        ? []
        : [{ name: String(filter), setup: (build) => void build.onLoad({ filter }, () => ({ contents, loader })) }],
    ),
    await oneChunk(), // asked after those
  ],
});
for (const log of result.logs) console.error(log);
if (!result.success) process.exit(1);
await Bun.write("dist/nsrun.1", builtPage());
console.log(`${values.outfile}: ${Math.round(statSync(values.outfile).size / 1e6)} MB`);
