/** The plan that a run would carry out, found without running anything: no process, no mount, nothing on the host. */
import { StepError } from "../errors.ts";
import { sys } from "../ffi/syscall.ts";
import { buildPlan } from "../plan/build.ts";
import { type ContainerSpec, mapped, type StdioUse } from "../plan/spec.ts";
import type { Plan } from "../plan/step.ts";
import type { RunOptions } from "./options.ts";
import { chosenRecipe, tryRecipes } from "./recipe.ts";
import { Slots } from "./slots.ts";
import { type Complete, completeSpec } from "./spec.ts";
import { prepare } from "./start.ts";
import { Terminal } from "./terminal.ts";

const INHERIT: readonly StdioUse[] = ["inherit", "inherit", "inherit"];

export interface Planned {
  readonly spec: ContainerSpec;
  readonly plan: Plan;
}

/** What tells the recipe: with --rw and mapped owners there is a choice too, but the parent's steps would write into the directory. */
function tried(spec: ContainerSpec): ContainerSpec | undefined {
  if (!spec.privileged || !spec.root) return undefined;
  if (spec.root.layer === "overlay") return spec;
  return mapped(spec) ? { ...spec, root: { ...spec.root, layer: "overlay" } } : undefined;
}

/**
 * Which recipe a kernel knows is found by trying, as a run does: the parent's steps make detached mounts, which end with
 * their descriptors. Whatever else fails there will fail in the run as well, and is no reason not to show the plan.
 */
function workingPlan({ spec, driver, programs }: Complete): Plan {
  const trial = tried(spec);
  try {
    if (trial)
      tryRecipes(trial, (plan) => {
        const slots = new Slots(driver, programs);
        if (typeof spec.root?.lower === "object") slots.set("lower", spec.root.lower.fd);
        try {
          prepare(plan, slots);
        } finally {
          slots.close();
        }
      });
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
  }
  return buildPlan(spec, chosenRecipe(spec));
}

/** An archive or busybox is unpacked into the cache all the same: the plan names the directory. Throws UsageError. */
export async function planned(command: readonly string[], options: RunOptions): Promise<Planned> {
  const terminal = Terminal.open(options.tty, INHERIT);
  try {
    const completed = await completeSpec(command, options, terminal?.uses ?? INHERIT, terminal?.spec);
    const { spec, release } = completed;
    try {
      return { spec, plan: workingPlan(completed) };
    } finally {
      release();
      const lower = spec.root?.lower;
      if (typeof lower === "object" && !lower.shared) sys("close", lower.fd);
    }
  } finally {
    terminal?.[Symbol.dispose]();
  }
}
