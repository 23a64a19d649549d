/** How a root is made is found by trying: the detached way first, and where the kernel cannot, by paths from then on. */
import { StepError } from "../errors.ts";
import { buildPlan } from "../plan/build.ts";
import type { ContainerSpec, Recipe } from "../plan/spec.ts";
import type { Plan } from "../plan/step.ts";

let known: Recipe | undefined;

/** NSRUN_ROOT_RECIPE=paths: for tests of the older way on a newer kernel. */
export function chosenRecipe(): Recipe {
  if (known === undefined && process.env.NSRUN_ROOT_RECIPE === "paths") known = "paths";
  return known ?? "detached";
}

/** What kernels before 6.15 answer to layers by descriptor (EINVAL, EBADF, EOPNOTSUPP) and before 5.2 to fsopen (ENOSYS). */
const TOO_OLD = new Set(["EINVAL", "EBADF", "EOPNOTSUPP", "ENOSYS"]);
const NEW_CALLS = new Set(["fsopen", "fsconfig", "fsmount"]);

function cannotDetach(plan: Plan, error: unknown): boolean {
  if (!(error instanceof StepError) || !TOO_OLD.has(error.code)) return false;
  const step = plan.prepare[error.place.index - 1];
  return step !== undefined && NEW_CALLS.has(step.call);
}

/** `make` with the plan of the best recipe; a step that only newer kernels know sends us to the older one, once. */
export function tryRecipes<T>(spec: ContainerSpec, make: (plan: Plan) => T): T {
  const recipe = chosenRecipe();
  const plan = buildPlan(spec, recipe);
  try {
    const made = make(plan);
    known = recipe;
    return made;
  } catch (error) {
    if (recipe !== "detached" || known !== undefined || !cannotDetach(plan, error)) throw error;
    known = "paths";
    return make(buildPlan(spec, "paths"));
  }
}
