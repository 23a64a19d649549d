/** attack.c, built once, and how it is run inside. */
import { chmodSync } from "node:fs";
import { NSRUN, shell, type Temporary, temporary } from "../helpers.ts";

export class Attacks implements Disposable {
  readonly dir: Temporary = temporary();

  static async build(): Promise<Attacks> {
    const attacks = new Attacks();
    chmodSync(attacks.dir.path, 0o755);
    const source = new URL("attack.c", import.meta.url).pathname;
    const { code, stderr } = await shell(["gcc", "-O1", "-static", "-Wall", "-Werror", "-o", attacks.program, source]);
    if (code !== 0) throw new Error(stderr);
    return attacks;
  }
  get program(): string {
    return this.dir.file("attack");
  }
  /** name → errno name, "ok" or the signal that killed it. */
  async run(options: readonly string[], names: readonly string[], nsrun = NSRUN): Promise<Record<string, string>> {
    const inside = ["run", ...options, "-v", `${this.program}:/attack`, "--", "/attack", ...names];
    const { code, stdout, stderr } = await shell([...nsrun, ...inside]);
    if (code !== 0 || stderr !== "") throw new Error(`exit ${code}: ${stderr}${stdout}`);
    return answers(stdout);
  }
  [Symbol.dispose](): void {
    this.dir[Symbol.dispose]();
  }
}

export const answers = (stdout: string): Record<string, string> =>
  Object.fromEntries(stdout.trim().split("\n").map((line) => line.split(" ") as [string, string])); // biome-ignore format: one line

export const PRIVILEGE_FIELDS = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp"] as const;
