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

/** Whether a plan that worked has shown that layers by descriptor work: those that write in place or map owners have none. */
const layered = (plan: Plan): boolean => plan.prepare.some(({ store }) => store === "root.fs");

let last: { readonly spec: ContainerSpec; readonly recipe: Recipe; key?: string; readonly plan: Plan } | undefined;

/** An infinite limit becomes null, which nothing else does. */
const keyOf = (spec: ContainerSpec, recipe: Recipe): string => `${recipe} ${JSON.stringify(spec)}`;

/**
 * The plan of `spec`; the last one again when the spec is the same, so that a container started over and over is planned and
 * encoded once. A veth pair's names and addresses never are the same (and its bigints are no JSON).
 */
function planOf(spec: ContainerSpec, recipe: Recipe): Plan {
  if (spec.net.mode === "veth") return buildPlan(spec, recipe);
  if (last) {
    const key = keyOf(spec, recipe);
    last.key ??= keyOf(last.spec, last.recipe); // only now: the first start of a process is the one that counts
    if (last.key === key) return last.plan;
  }
  last = { spec, recipe, plan: buildPlan(spec, recipe) };
  return last.plan;
}

/** `make` with the plan of the best recipe; a step that only newer kernels know sends us to the older one, once. */
export function tryRecipes<T>(spec: ContainerSpec, make: (plan: Plan) => T): T {
  const recipe = chosenRecipe();
  const plan = planOf(spec, recipe);
  try {
    const made = make(plan);
    if (layered(plan)) known = recipe;
    return made;
  } catch (error) {
    if (recipe !== "detached" || known !== undefined || !cannotDetach(plan, error)) throw error;
    known = "paths";
    return make(planOf(spec, "paths"));
  }
}
