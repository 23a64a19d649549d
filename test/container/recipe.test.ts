/** Whether layers by descriptor work is learnt from a start that has them, not from one that has not. */
import { expect, test } from "bun:test";
import { StepError } from "../../src/errors.ts";
import { buildPlan } from "../../src/plan/build.ts";
import type { Plan } from "../../src/plan/step.ts";
import { spec } from "../plan/spec.ts";

/** A copy of the module: what it has learnt is this process's, and other tests start containers. */
const OWN = "../../src/container/recipe.ts?own";
const { chosenRecipe, tryRecipes }: typeof import("../../src/container/recipe.ts") = await import(OWN);

test("an older kernel: a start in place or with mapped owners does not stop the next from finding the older recipe", () => {
  const layered = spec({});
  const inPlace = spec({ root: { ...layered.root!, layer: "bind" } });
  /** Linux 6.1's answer to lowerdir+. */
  const older = (plan: Plan): Plan => {
    const at = plan.prepare.findIndex(({ args }) => args[2] === "lowerdir+");
    if (at < 0) return plan;
    const place = { index: at + 1, total: plan.prepare.length, label: "overlay: lowerdir+", lane: "parent" };
    throw new StepError(place, 95, "EOPNOTSUPP", "operation not supported");
  };
  expect(buildPlan(layered, "detached").prepare.some(({ args }) => args[2] === "lowerdir+")).toBe(true);
  tryRecipes(inPlace, older);
  expect(chosenRecipe()).toBe("detached");
  expect(tryRecipes(layered, older).prepare.some(({ args }) => args[2] === "lowerdir+")).toBe(false);
  expect(chosenRecipe()).toBe("paths");
});

test("mapped owners: an older kernel's tmpfs is found out once; a joined user namespace, whose ids are not known, has no other way", () => {
  const mapped = spec({
    namespaces: { ...spec({}).namespaces, user: { mode: "new" } },
    idMaps: {
      uid: [{ containerId: 0, hostId: 100000, size: 65536 }],
      gid: [{ containerId: 0, hostId: 100000, size: 65536 }],
      setgroups: true,
    },
  });
  const joined = spec({ namespaces: { ...mapped.namespaces, user: { mode: "join", path: "/proc/9/ns/user" } } });
  let tried = 0;
  /** Linux 6.1's answer to a question for user.* attributes of a tmpfs. */
  const older = (plan: Plan): Plan => {
    tried++;
    const at = plan.prepare.findIndex(({ call }) => call === "getxattr");
    if (at < 0) return plan;
    const place = { index: at + 1, total: plan.prepare.length, label: "attributes", lane: "parent" };
    throw new StepError(place, 95, "EOPNOTSUPP", "operation not supported");
  };
  const staged = (plan: Plan): boolean => plan.child.some(({ lane, call }) => lane === "stage" && call === "mount");
  expect(staged(tryRecipes(mapped, older))).toBe(true);
  expect([tried, chosenRecipe(mapped), chosenRecipe(joined), chosenRecipe()]).toEqual([2, "staged", "paths", "paths"]);
  expect(staged(tryRecipes(mapped, older))).toBe(true);
  expect(tried).toBe(3);
  expect(() => tryRecipes(joined, older)).toThrow("attributes");
});
