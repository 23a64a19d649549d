/** The short form of test/soak: many containers in sequence, at once, and killed, with nothing left. */
import { describe, expect, test } from "bun:test";
import { kills, runs, together } from "../soak/soak.ts";
import { canRun, skipReason } from "./helpers.ts";

const reason = skipReason("many containers", [canRun]);

describe.skipIf(reason !== undefined)("nothing is left of", () => {
  test("300 containers in sequence, good and bad", async () => {
    expect(await runs(300)).toMatchObject({ count: 300 });
  }, 60_000);
  test("40 containers at once", async () => {
    expect(await together(40)).toMatchObject({ count: 40 });
  }, 60_000);
  test("20 containers whose supervisor is killed", async () => {
    expect(await kills(20)).toMatchObject({ count: 20 });
  }, 60_000);
});
