/** nsrun as a library: containers from TypeScript. */
export { plan, type Running, type RunResult, run, start } from "./container/box.ts";
export type { Ended, Timings } from "./container/container.ts";
export { Container, container } from "./container/handle.ts";
export type { ContainerOptions, ExecOptions, RunOptions, Stdio } from "./container/options.ts";
export { type FailedCall, NetlinkError, NsrunError, StepError, type StepPlace, SyscallError, UsageError } from "./errors.ts";
export { type ContainerSpec, type Mount, NAMESPACES, type Namespace, type NamespaceUse } from "./plan/spec.ts";
export type { Plan, Step } from "./plan/step.ts";
