/** nsrun/cgroup: control groups with limits. */
export { createGroup, Group } from "./group.ts";
export { type Hierarchy, hierarchies } from "./layout.ts";
export type { Controller, Limits } from "./limits.ts";
