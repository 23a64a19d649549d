/** --cap-add and --cap-drop. Loaded only when one of them is given. */
import { UsageError } from "../errors.ts";
import { CAPABILITIES } from "../ffi/flags.ts";
import { didYouMean } from "../near.ts";
import { DEFAULT_CAPABILITIES } from "./defaults.ts";

/** Names as capabilities(7) has them, with or without CAP_, in either case, by commas; "all". Throws UsageError. */
function names(values: readonly string[] | undefined, option: string): { all: boolean; names: Set<string> } {
  const found = new Set<string>();
  let all = false;
  for (const text of (values ?? []).flatMap((value) => value.split(","))) {
    const name = text.trim().toUpperCase().replace(/^CAP_/, "");
    if (name === "ALL") all = true;
    else if (CAPABILITIES.includes(`CAP_${name}`)) found.add(`CAP_${name}`);
    else {
      const near = didYouMean(
        name,
        CAPABILITIES.map((known) => known.slice(4)),
      );
      throw new UsageError(`${option} ${text}: unknown capability`, {
        hint: near
          ? `did you mean ${near.toLowerCase()}?`
          : `known: ${CAPABILITIES.map((c) => c.slice(4).toLowerCase()).join(" ")}`,
      });
    }
  }
  return { all, names: found };
}

export interface Asked {
  readonly capAdd?: readonly string[] | undefined;
  readonly capDrop?: readonly string[] | undefined;
}

/**
 * The bounding set, in the kernel's order, and what was asked for by name. `available`: what the caller can give. Dropping
 * all and adding some is the usual way to have just these. Throws UsageError.
 */
export function capabilitySets(asked: Asked, available: (name: string) => boolean): { bounding: string[]; added: string[] } {
  const add = names(asked.capAdd, "--cap-add");
  const drop = names(asked.capDrop, "--cap-drop");
  const both = add.all && drop.all ? "all" : [...add.names].find((name) => drop.names.has(name));
  if (both) throw new UsageError(`--cap-add and --cap-drop both name ${both.toLowerCase()}`);
  const missing = [...add.names].find((name) => !available(name));
  if (missing) throw new UsageError(`--cap-add ${missing.toLowerCase()}: you do not have it yourself`);
  const base = add.all ? CAPABILITIES : drop.all ? [] : DEFAULT_CAPABILITIES;
  const wanted = new Set([...base, ...add.names]);
  const bounding = CAPABILITIES.filter((name) => wanted.has(name) && !drop.names.has(name) && available(name));
  return { bounding, added: bounding.filter((name) => add.all || add.names.has(name)) };
}
