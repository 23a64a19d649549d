/** Lessons in a group with limits. */
import { createGroup, type Group, type Limits } from "../cgroup/index.ts";
import { NsrunError } from "../errors.ts";
import type { Lab } from "./lesson.ts";

/** The group's refusal as a part that cannot be shown here. */
export function cannotGroup(lab: Lab, part: string, error: NsrunError): void {
  lab.cannot(part, error.message, error.hint ?? "a kernel and a machine that have the controller");
}

/** `show` with a group that has the limits, where there can be one. */
export async function inGroup(lab: Lab, limits: Limits, show: (group: Group) => Promise<void>): Promise<void> {
  let group: Group;
  try {
    group = createGroup("lesson", limits);
  } catch (error) {
    if (!(error instanceof NsrunError)) throw error;
    cannotGroup(lab, "the whole lesson", error);
    return;
  }
  try {
    await show(group);
  } finally {
    group[Symbol.dispose]();
  }
}
