/** The plan's programs (newuidmap, newgidmap), run by the parent between clone and go. */
import { NsrunError } from "../errors.ts";
import { runTogether } from "../ids/programs.ts";
import type { Plan, ProgramStep } from "../plan/step.ts";
import { timeline } from "../plan/timeline.ts";
import type { Slots } from "./slots.ts";

/** Throws NsrunError with what the first one that failed has said. */
export function runPrograms(plan: Plan, step: ProgramStep, slots: Slots): void {
  const failure = runTogether(
    step.programs.map((words) => words.map((word) => (typeof word === "string" ? word : String(slots.get(word.slot))))),
  );
  if (failure === undefined) return;
  const all = timeline(plan);
  throw new NsrunError(`step ${all.indexOf(step) + 1} of ${all.length}: ${step.label}: ${failure}`, {
    hint: "the own id alone needs no helper: --uid-map 0:UID --gid-map 0:GID",
  });
}
