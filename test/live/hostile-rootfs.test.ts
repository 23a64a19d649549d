/**
 * Roots that are hostile: a link, a file or a fifo where a mount point should be. Nothing of the host may change, nothing be
 * mounted elsewhere; either there is a proper container or one clear error, within a second. Each defence has its negative
 * control: the same with that defence taken out of the plan.
 */
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { canRun, skipReason } from "./helpers.ts";
import type { Mutation } from "./hostile/driver.ts";
import { allMounts, expected, FORMS, mountOn, proper, resolvVolume, rootOptions, seen } from "./hostile/expect.ts";
import { asHost, HostilePlace, KINDS, madeBy, mountsOf, PLACES, RECIPES } from "./hostile/place.ts";

let place: HostilePlace;
// each test its own: a negative control leaves the mark of what it did to "the host"
beforeEach(() => {
  place?.[Symbol.dispose]();
  place = new HostilePlace();
});
afterAll(() => place?.[Symbol.dispose]());

/** What happened to other runners at these places. */
const BUGS: Record<string, string> = {
  "/dev": "CVE-2026-41579",
  "/proc": "CVE-2019-19921, CVE-2023-27561",
  "/sys": "CVE-2019-19921",
};

const skip = skipReason("hostile roots", [canRun, [Bun.which("gcc") !== null, "no gcc for a static program"]]);

for (const recipe of RECIPES) {
  describe.skipIf(skip !== undefined)(`a hostile root${madeBy(recipe)}`, () => {
    const env = { NSRUN_ROOT_RECIPE: recipe };

    for (const at of PLACES) {
      test(`${BUGS[at] ?? "CVE-2024-45310"}: ${at} as each of ${KINDS.join(", ")}: a container or one error, and the host as it was`, async () => {
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

    for (const [at, type] of [
      ["/proc", "proc"],
      ["/sys", "sysfs"],
    ] as const) {
      const linked = () => {
        const root = place.root();
        mkdirSync(join(root, "data"));
        symlinkSync("data", join(root, at));
        return { rootfs: root, rw: true };
      };
      const start = async (mutation?: Mutation) => {
        const [result] = await place.start([{ name: at, options: linked(), ...(mutation ? { mutation } : {}) }], env);
        return result?.error ?? ["/data", at].map((path) => mountsOf(result!).get(path));
      };
      test(`CVE-2019-19921: ${at} is a link of the root: refused`, async () => expect(await start()).toBe("ELOOP"));
      test(`control: CVE-2019-19921: ${at} is a link of the root: followed, what should be there is elsewhere`, async () =>
        expect(await start("follow")).toEqual([`/ ${type}`, undefined]));
    }

    test("control: CVE-2024-45310, CVE-2021-30465: with links followed as everybody does, the host's directory is written to", async () => {
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
