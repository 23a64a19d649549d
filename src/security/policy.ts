/** What a filter decides, before it is a program: for each number a list of cases, of which the first that holds is taken. */
import { RET } from "./bpf.ts";

/** `(args[arg] & mask) OP value`, unsigned, 64 bits. A mask of 32 ones is for arguments that the kernel itself cuts to an int. */
export interface Condition {
  readonly arg: number;
  readonly op: "eq" | "ne" | "lt" | "le" | "gt" | "ge";
  readonly value: bigint;
  readonly mask: bigint;
}

export const ALL_BITS = 0xffff_ffff_ffff_ffffn;
/** What is left of an argument that the kernel takes as int or unsigned int. */
export const INT = 0xffff_ffffn;

/** All of `when` must hold. `action` is a SECCOMP_RET_* with its data. */
export interface Case {
  readonly when: readonly Condition[];
  readonly action: number;
}

export interface Decision {
  readonly cases: readonly Case[];
  readonly otherwise: number;
}

export interface Policy {
  /** By number. */
  readonly calls: ReadonlyMap<number, Decision>;
  /** For every number that is not there. */
  readonly otherwise: number;
}

export const always = (action: number): Decision => ({ cases: [], otherwise: action });

/** SECCOMP_RET_ALLOW or _LOG. A tracer that is not there (TRACE) is a refusal. */
export const permits = (action: number): boolean => action === RET.ALLOW || action === RET.LOG;

/** Whether there are arguments with which the call `number` is made. */
export function mayAllow({ calls, otherwise }: Policy, number: number): boolean {
  const decision = calls.get(number) ?? always(otherwise);
  return permits(decision.otherwise) || decision.cases.some(({ action }) => permits(action));
}
