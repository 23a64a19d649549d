/** A process that exchanges a directory and a link as fast as it can: the short form of test/soak/races.ts. */
import { describe, expect, test } from "bun:test";
import { canRun, PATIENCE, skipReason } from "./helpers.ts";
import { HostilePlace, madeBy, RECIPES } from "./hostile/place.ts";
import { RACE_ERRORS, RACES, race } from "./hostile/race.ts";

const skip = skipReason("races", [canRun, [Bun.which("gcc") !== null, "no gcc for a static program"]]);

for (const recipe of RECIPES) {
  describe.skipIf(skip !== undefined)(`100 starts in a race${madeBy(recipe)}`, () => {
    for (const one of RACES) {
      test(`${one.name}: a container or one error, and the host as it was`, async () => {
        using place = new HostilePlace();
        const { results, outcomes, mounts, untouched, slowest } = await race(place, one, 100, recipe);
        expect(untouched).toBe(true);
        for (const { error } of results) expect([undefined, ...RACE_ERRORS]).toContain(error);
        for (const path of mounts) expect(path).toMatch(one.places);
        expect(outcomes.size).toBeGreaterThan(1); // the race was one
        expect(slowest).toBeLessThan(1000 * PATIENCE);
      });
      if (!one.control) continue;
      test(`control: ${one.name}, ${one.control}: the host is changed`, async () => {
        let untouched = true;
        for (let i = 0; untouched && i < 20; i++) {
          using place = new HostilePlace();
          ({ untouched } = await race(place, one, 100, recipe, one.control));
        }
        expect(untouched).toBe(false);
      });
    }
  });
}
