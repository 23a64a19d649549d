/** `nsrun --version`: what a bug report needs first. */
import { release } from "node:os";
import pkg from "../../package.json" with { type: "json" };
import { print } from "./print.ts";

export async function version(): Promise<number> {
  await print(`nsrun ${pkg.version} (bun ${Bun.version}, linux ${release()})\n`);
  return 0;
}
