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
