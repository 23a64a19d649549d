/**
 * `bun --preload weaken.ts …` with NSRUN_TEST_WITHOUT=ROW[,ROW]: nsrun from its sources, with the exact pieces of text that weaker.ts
 * has for these rows replaced as the modules are loaded. No file of src knows of it, and so no compiled nsrun does.
 */
import { readFileSync } from "node:fs";
import { plugin } from "bun";
import { type Edit, type Row, WEAKER } from "./weaker.ts";

const SOURCES = new URL("../../../src/", import.meta.url).pathname;

/** What each file is replaced by. Throws for a text that is not there exactly once: a control without it would test nothing. */
function replacements(rows: readonly string[]): Map<string, string> {
  const texts = new Map<string, string>();
  for (const row of rows) {
    const edits = WEAKER[row as Row] as readonly Edit[] | undefined;
    if (!edits) throw new Error(`NSRUN_TEST_WITHOUT: no row ${JSON.stringify(row)} in weaker.ts`);
    for (const [file, find, replace] of edits) {
      const path = SOURCES + file;
      const text = texts.get(path) ?? readFileSync(path, "utf8");
      const times = text.split(find).length - 1;
      if (times !== 1) throw new Error(`weaker.ts, ${row}: src/${file} has this ${times} times, not once: ${find}`);
      texts.set(
        path,
        text.replace(find, () => replace),
      );
    }
  }
  return texts;
}

const texts = replacements((process.env.NSRUN_TEST_WITHOUT ?? "").split(","));
const escaped = (path: string) => path.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

plugin({
  name: "weaken",
  setup(build) {
    build.onLoad({ filter: new RegExp(`^(${[...texts.keys()].map(escaped).join("|")})$`) }, ({ path }) => {
      const text = texts.get(path)!;
      return { contents: path.endsWith(".c") ? `export default ${JSON.stringify(text)}` : text, loader: "ts" }; // C is imported as text
    });
  },
});
