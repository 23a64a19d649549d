/** bugs.c and joiner.c, built once for a file of tests, in a directory that a container may have as a volume. */
import { chmodSync } from "node:fs";
import { type Outcome, shell, type Temporary, temporary, works } from "../helpers.ts";

export const hasCompiler = [works("gcc", "--version"), "gcc is not installed"] as const;

export class Programs implements Disposable {
  readonly dir: Temporary = temporary();

  static async build(...names: string[]): Promise<Programs> {
    const programs = new Programs();
    chmodSync(programs.dir.path, 0o755);
    for (const name of names) {
      const source = new URL(`${name}.c`, import.meta.url).pathname;
      const made = await shell(["gcc", "-O1", "-static", "-Wall", "-Werror", "-o", programs.dir.file(name), source]);
      if (made.code !== 0) throw new Error(made.stderr);
    }
    return programs;
  }
  /** As an option of `nsrun run`: the programs are in /bugs. */
  get volume(): readonly string[] {
    return ["-v", `${this.dir.path}:/bugs`];
  }
  [Symbol.dispose](): void {
    this.dir[Symbol.dispose]();
  }
}

/** The lines `NAME ANSWER` of a program that ran well. */
export function answersOf({ code, stdout, stderr }: Outcome): Record<string, string> {
  if (code !== 0) throw new Error(`exit ${code}: ${stderr}${stdout}`);
  const lines = stdout.split(/[\r\n]+/).filter((line) => line !== "");
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf(" ")), line.slice(line.indexOf(" ") + 1)]));
}
