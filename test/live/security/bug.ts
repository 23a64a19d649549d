/** An attack named after its bug, and its negative control: the same with that one defence switched off, which then succeeds. */
import { expect, test } from "bun:test";
import { BUN, MAIN, NSRUN, PROGRAM } from "../helpers.ts";
import type { Row } from "./weaker.ts";

/** What an attack is run against. */
export interface Target {
  /** The command line that starts nsrun. */
  readonly nsrun: readonly string[];
  /** Bun, for a script that uses the library. */
  readonly bun: readonly string[];
  /** Further options of `nsrun run`. */
  readonly options: readonly string[];
}

/** How a defence is switched off: by its row in weaker.ts, or by the option that a user has for it. */
type Off = { readonly rows: readonly Row[] } | { readonly options: readonly string[] };

export interface Bug<T> {
  /** Begins with the CVE's number or the short name of the class. */
  readonly name: string;
  /** Why it cannot be tried here; printed. */
  readonly skip?: string | undefined;
  /** Why the control shows nothing here; printed. */
  readonly uncontrolled?: string | undefined;
  /** Off in both runs: what stands behind the defence, or in front of it, so that it is seen to hold alone. */
  readonly both?: readonly Row[];
  readonly without: Off;
  /** What the attacker got. */
  readonly attack: (target: Target) => Promise<T>;
  readonly held: unknown;
  readonly open: unknown;
  readonly ms?: number;
}

const WEAKEN = new URL("weaken.ts", import.meta.url).pathname;

function target(rows: readonly Row[], options: readonly string[]): Target {
  if (rows.length === 0) return { nsrun: NSRUN, bun: BUN, options };
  const bun = ["env", `NSRUN_TEST_WITHOUT=${rows.join(",")}`, ...BUN, "--preload", WEAKEN];
  return { nsrun: [...bun, MAIN], bun, options };
}

const print = (name: string, why: string | undefined): boolean => {
  if (why !== undefined) console.log(`skip: ${name}: ${why}`);
  return why !== undefined;
};

/** VMs without hardware's help are slow. */
const MS = 300_000;

export function bug<T>({ name, skip, uncontrolled, both = [], without, attack, held, open, ms = MS }: Bug<T>): void {
  test.skipIf(print(name, skip))(name, async () => expect((await attack(target(both, []))) as unknown).toEqual(held), ms);
  const rows = "rows" in without ? without.rows : [];
  const options = "options" in without ? without.options : [];
  const control = `control: ${name}: without ${[...rows.map((row) => `"${row}"`), ...options].join(" ")}`;
  const fixed = rows.length > 0 && PROGRAM !== undefined ? `nothing can be switched off in ${PROGRAM}` : undefined;
  test.skipIf(print(control, skip ?? uncontrolled ?? fixed))(
    control,
    async () => expect((await attack(target([...both, ...rows], options))) as unknown).toEqual(open),
    ms,
  );
}
