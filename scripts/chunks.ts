/**
 * How the executable is cut into chunks: one for all that a start needs, so that it is loaded as one module. The bundler makes a
 * chunk for each set of entries that reach a module, and every `import()` is an entry: 19 chunks on the way of `run`, and
 * 0.6 ms. Here each module that is imported so also reaches `run`, but for those that are to be loaded without it.
 */
import { dirname } from "node:path";
import type { BunPlugin } from "bun";

const ROOT = new URL("..", import.meta.url).pathname.replace(/\/$/, "");
const RUN = `${ROOT}/src/cmd/run.ts`;

/** Absolute paths of all modules that some module of src imports by `import()`. */
async function importedLate(): Promise<Set<string>> {
  const found = new Set<string>();
  const scanner = new Bun.Transpiler({ loader: "ts" });
  for (const file of new Bun.Glob("src/**/*.ts").scanSync({ cwd: ROOT, absolute: true })) {
    for (const { kind, path } of scanner.scanImports((await Bun.file(file).text()).replace(/^#!/, "//")))
      if (kind === "dynamic-import" && path.startsWith(".")) found.add(Bun.resolveSync(path, dirname(file)));
  }
  return found;
}

export async function oneChunk(): Promise<BunPlugin> {
  const late = await importedLate();
  late.add(`${ROOT}/src/cmd/main.ts`);
  late.delete(RUN);
  return {
    name: "one chunk for what a start needs",
    setup: (build) =>
      void build.onLoad({ filter: /\/src\/(?!lessons\/code\/).*\.ts$/ }, async ({ path }) => {
        const text = (await Bun.file(path).text()).replace(/^#!.*/, "");
        return { contents: late.has(path) ? `import ${JSON.stringify(RUN)};\n${text}` : text, loader: "ts" };
      }),
  };
}
