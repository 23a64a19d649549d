/** `nsrun completion SHELL`: prints the shell's script, which asks complete.ts for everything. */
import { UsageError } from "../errors.ts";
import bash from "./completion/nsrun.bash" with { type: "text" };
import fish from "./completion/nsrun.fish" with { type: "text" };
import zsh from "./completion/nsrun.zsh" with { type: "text" };
import { print } from "./print.ts";

const SCRIPTS: Readonly<Record<string, string>> = { bash, zsh, fish };

export async function completion([shell = ""]: readonly string[]): Promise<number> {
  if (!Object.hasOwn(SCRIPTS, shell)) {
    throw new UsageError(`completion ${shell}: unknown shell (known: ${Object.keys(SCRIPTS).join(" ")})`);
  }
  await print(SCRIPTS[shell]!);
  return 0;
}
