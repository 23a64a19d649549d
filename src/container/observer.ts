/** Who looks on while a plan becomes a container. Without one the plan runs as it is. */
import type { Plan, Step } from "../plan/step.ts";
import type { Supervised } from "./container.ts";
import type { Slots } from "./slots.ts";

export interface Observer {
  /** The plan to run instead, with steps of the observer's own in it (`observing`). */
  plan(plan: Plan): Plan;
  /** Around each step of the parent. What `before` throws ends the start. */
  before?(step: Step): void;
  after?(step: Step): void;
  /** The first child process exists, or `undefined` when it is about to be made. */
  started?(slots: Slots | undefined): void;
  /** A record that no container sends; true: it was the observer's. */
  record?(kind: number, a: number, b: number, process: Supervised): boolean;
}
