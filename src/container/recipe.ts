/** How a root is made is found by trying: the best way first, and where the kernel cannot, the older one from then on. */
import { StepError } from "../errors.ts";
import { buildPlan } from "../plan/build.ts";
import { type ContainerSpec, mapped, type Recipe } from "../plan/spec.ts";
import type { Plan, SyscallStep } from "../plan/step.ts";

/** Containers for which there is a choice, and what is known of it in this process. */
interface Choice {
  readonly best: Recipe;
  readonly older: Recipe;
  /** The step that an older kernel refuses, and what it says. A plan without one has shown nothing. */
  readonly shows: (step: SyscallStep) => boolean;
  readonly tooOld: ReadonlySet<string>;
  known?: Recipe;
}

const NEW_CALLS = new Set(["fsopen", "fsconfig", "fsmount"]);

/** Before 6.15 layers by descriptor are answered with EINVAL, EBADF or EOPNOTSUPP, and before 5.2 fsopen with ENOSYS. */
const plain: Choice = {
  best: "detached",
  older: "paths",
  shows: ({ call }) => NEW_CALLS.has(call),
  tooOld: new Set(["EINVAL", "EBADF", "EOPNOTSUPP", "ENOSYS"]),
};

/** Before 6.6 tmpfs has no user.* attributes, which an overlay needs that is made in the container's user namespace. */
const withOwners: Choice = {
  best: "paths",
  older: "staged",
  shows: ({ call }) => call === "getxattr",
  tooOld: new Set(["EOPNOTSUPP"]),
};

const choiceFor = (spec: ContainerSpec | undefined): Choice => (spec && mapped(spec) ? withOwners : plain);

/** NSRUN_ROOT_RECIPE=paths, =staged: for tests of an older way on a newer kernel, where the container has the choice at all. */
export function chosenRecipe(spec?: ContainerSpec): Recipe {
  const choice = choiceFor(spec);
  if (choice.known === undefined && process.env.NSRUN_ROOT_RECIPE === choice.older) choice.known = choice.older;
  const recipe = choice.known ?? choice.best;
  return recipe === "staged" && spec?.namespaces.user.mode !== "new" ? choice.best : recipe; // whose ids a joined one has is not known
}

/** Whether a plan that worked has shown that the best way does: of those without owners to map, those with layers. */
const showed = (choice: Choice, plan: Plan): boolean =>
  choice === plain ? plan.prepare.some(({ store }) => store === "root.fs") : plan.prepare.some(choice.shows);

function refused(choice: Choice, plan: Plan, error: unknown): boolean {
  if (!(error instanceof StepError) || !choice.tooOld.has(error.code)) return false;
  const step = plan.prepare[error.place.index - 1];
  return step !== undefined && choice.shows(step);
}

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
  const choice = choiceFor(spec);
  const recipe = chosenRecipe(spec);
  const plan = planOf(spec, recipe);
  try {
    const made = make(plan);
    if (showed(choice, plan)) choice.known = recipe;
    return made;
  } catch (error) {
    if (choice.known !== undefined || !refused(choice, plan, error)) throw error;
    choice.known = choice.older;
    if (chosenRecipe(spec) === recipe) throw error;
    return make(planOf(spec, choice.older));
  }
}
