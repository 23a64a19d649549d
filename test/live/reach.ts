/** What a command reaches, by a static C program that tries it: with Landlock rules and without them. */
import { afterAll, expect } from "bun:test";
import { chmodSync } from "node:fs";
import { canRun, type Outcome, skipReason, temporary } from "./helpers.ts";

export const results = ({ stdout, code }: Outcome) => {
  expect(code).toBe(0);
  return Object.fromEntries(
    stdout
      .trim()
      .split("\n")
      .map((line) => line.split(" ") as [string, string]),
  );
};
/** `[operation, with the rules, without them, the version that brought it]`, as what is expected of this kernel. */
export type Row = readonly [op: string, ruled: string, free: string, abi?: number];
export const free = (rows: readonly Row[]) => Object.fromEntries(rows.map(([op, , without]) => [op, without]));

/** The program, and what is expected of this kernel. Once in each file of tests, at its beginning. */
export function witness() {
  const place = temporary();
  afterAll(() => place[Symbol.dispose]());
  chmodSync(place.path, 0o755);
  const REACH = place.file("reach");
  const built = Bun.which("gcc") !== null;
  if (built) {
    const gcc = Bun.spawnSync(["gcc", "-static", "-O1", "-o", REACH, new URL("reach.c", import.meta.url).pathname]);
    if (gcc.exitCode !== 0) throw new Error(gcc.stderr.toString());
  }

  /** The kernel's version by the witness's own question. */
  const abi = built ? Number(Bun.spawnSync([REACH, "landlock:"]).stdout.toString().split("\n")[1]) : 0;
  const noLandlock = skipReason("landlock", [
    canRun,
    [built, "no gcc for a static program"],
    [abi >= 1 && abi < 30, "this kernel has no Landlock"],
  ]);

  /** An old kernel leaves some of it free, and says so; what it must not restrict then is looked at as well. */
  const OPTIONAL = abi >= 6 ? [] : ["--landlock", "optional:all"];
  const rules = (...list: string[]) => [...list.flatMap((rule) => ["--landlock", rule]), ...OPTIONAL];
  const ruled = (rows: readonly Row[]) =>
    Object.fromEntries(rows.map(([op, with_, without, from = 1]) => [op, abi >= from ? with_ : without]));
  return { REACH, abi, noLandlock, OPTIONAL, rules, ruled };
}
