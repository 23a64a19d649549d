/** Negative controls: a guard is taken away for the length of a block, and the test that it is there for must fail. */
import { expect } from "bun:test";
import { O } from "../../src/ffi/flags.ts";
import { GUARDS } from "../../src/rootfs/guards.ts";
import type { Split } from "../../src/rootfs/names.ts";

export type Weaker = Partial<typeof GUARDS>;

/** Puts weaker entries into the table until the end of the block. */
export function weaken(weaker: Weaker): Disposable {
  const before = { ...GUARDS };
  Object.assign(GUARDS, weaker);
  return {
    [Symbol.dispose]() {
      Object.assign(GUARDS, before);
    },
  };
}

/** Runs `attack`, a whole test, without the guards: it must fail, with words that match. */
export async function failsWithout(weaker: Weaker, attack: () => Promise<void>, words: RegExp): Promise<void> {
  using _ = weaken(weaker);
  const error = await attack().then(
    () => new Error("nothing failed"),
    (reason: unknown) => reason,
  );
  expect(String(error)).toMatch(words);
}

const components = (name: string): string[] => name.split("/").filter((part) => part !== "" && part !== ".");
/** Names as they come: `..` leads up, NUL ends a name early. */
export const anyName = (name: string): Split => ({ parts: components(name) });
/** A leading slash stays: openat(2) ignores the directory then. */
export const absoluteName = (name: string): Split => ({
  parts: components(name).map((part, i) => (i === 0 && name.startsWith("/") ? `/${part}` : part)),
});
/** Components that are links are followed. */
export const followed: Weaker = { component: O.O_PATH | O.O_DIRECTORY | O.O_CLOEXEC };
