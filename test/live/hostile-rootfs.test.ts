/**
 * Roots that are hostile: a link, a file or a fifo where a mount point should be. Nothing of the host may change, nothing be
 * mounted elsewhere; either there is a proper container or one clear error, within a second. Each defence has its negative
 * control: the same with that defence taken out of the plan.
 */
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { canRun, skipReason } from "./helpers.ts";
import { allMounts, expected, FORMS, mountOn, proper, resolvVolume, rootOptions, seen } from "./hostile/expect.ts";
import { asHost, HostilePlace, KINDS, madeBy, PLACES, RECIPES } from "./hostile/place.ts";

let place: HostilePlace;
// each test its own: a negative control leaves the mark of what it did to "the host"
beforeEach(() => {
  place?.[Symbol.dispose]();
  place = new HostilePlace();
});
afterAll(() => place?.[Symbol.dispose]());

const skip = skipReason("hostile roots", [canRun, [Bun.which("gcc") !== null, "no gcc for a static program"]]);

for (const recipe of RECIPES) {
  describe.skipIf(skip !== undefined)(`a hostile root${madeBy(recipe)}`, () => {
    const env = { NSRUN_ROOT_RECIPE: recipe };

    for (const at of PLACES) {
      test(`${at} as each of ${KINDS.join(", ")}: a container or one error, and the host as it was`, async () => {
        const combinations = KINDS.flatMap((kind) => FORMS.map((form) => ({ kind, form, root: place.hostileRoot(at, kind) })));
        const cases = combinations.map(({ kind, form, root }) => ({
          name: `${kind}, ${form}`,
          options: { ...rootOptions(place, root, form), ...mountOn(place, at) },
        }));
        // and with everything mounted that can be: what of it is in the way of what else is not the point
        const more = combinations.map(({ kind, form, root }) => ({
          name: `${kind}, ${form}, all mounts`,
          options: { ...rootOptions(place, root, form), ...allMounts(place), ...asHost(recipe) },
        }));
        const lower = combinations.filter(({ form }) => form === "directory").map(({ root }) => root);
        const before = [place.watched(), place.state(...lower)];
        const results = await place.start([...cases, ...more], env);
        expect([place.watched(), place.state(...lower)]).toEqual(before);
        proper(results);
        expect(results.slice(0, cases.length).map((r) => [r.name, seen(r, at)])).toEqual(
          combinations.map(({ kind, form }, i) => [cases[i]!.name, expected(place, at, kind, form)]),
        );
        for (const result of results) expect(result.error ?? "").toMatch(/^(|ELOOP|ENOENT|ENOTDIR|EXDEV|EINVAL)$/);
      });
    }

    test("negative control: with links followed as everybody does, the host's directory is written to", async () => {
      const root = place.hostileRoot("/etc", "host");
      const [safe] = await place.start(
        [{ name: "safe", options: { rootfs: root, volume: [`${resolvVolume(place)}.new`], ...asHost(recipe) } }],
        env,
      );
      expect(safe?.error).toBe("ENOENT");
      const before = place.watched();
      const options = { rootfs: root, volume: [`${resolvVolume(place)}.new`], ...asHost(recipe) };
      await place.start([{ name: "control", options, mutation: "follow" }], env);
      expect(place.watched()).not.toBe(before);
      expect(place.watched()).toContain(`${place.host}/resolv.conf.new `);
    });
  });
}
