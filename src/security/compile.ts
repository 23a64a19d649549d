/**
 * A policy becomes a program: the architecture is checked, then a balanced search over the numbers, ranges with the same
 * decision being one. Straight lists are what makes filters slow: here every number is found in some nine comparisons.
 */
import { NsrunError } from "../errors.ts";
import type { Arch } from "../ffi/abi.ts";
import { AUDIT_ARCH, DATA, type Instruction, instruction, MAX_INSTRUCTIONS, RET, toBytes, X32_BIT } from "./bpf.ts";
import { always, type Case, type Condition, type Decision, type Policy } from "./policy.ts";

/** A jump inside a case, before it is known how far: to the case's next condition, or to the next case. */
type Target = "next" | "fail" | number;
interface Pending {
  readonly code: "ld" | "and" | "jeq" | "jgt" | "jge" | "ja";
  readonly k: number;
  readonly jt?: Target;
  readonly jf?: Target;
}

const high = (value: bigint): number => Number(value >> 32n);
const low = (value: bigint): number => Number(value & 0xffff_ffffn);

function load(offset: number, mask: number): Pending[] {
  const whole: Pending = { code: "ld", k: offset };
  return mask === 0xffffffff ? [whole] : [whole, { code: "and", k: mask }];
}

/** What the low words decide when the high words are equal: the jump, and where it goes when it is true and false. */
const LOW: Readonly<Record<Condition["op"], readonly ["jeq" | "jgt" | "jge", Target, Target]>> = {
  eq: ["jeq", "next", "fail"],
  ne: ["jeq", "fail", "next"],
  gt: ["jgt", "next", "fail"],
  ge: ["jge", "next", "fail"],
  lt: ["jge", "fail", "next"],
  le: ["jgt", "fail", "next"],
};

/** Where a high word leads that is greater, and one that is less. */
const HIGH: Readonly<Record<Condition["op"], readonly [greater: Target, less: Target]>> = {
  eq: ["fail", "fail"],
  ne: ["next", "next"],
  gt: ["next", "fail"],
  ge: ["next", "fail"],
  lt: ["fail", "next"],
  le: ["fail", "next"],
};

/** BPF has 32-bit words only: the high ones are compared first. */
function condition({ arg, op, value, mask }: Condition): Pending[] {
  const [code, jt, jf] = LOW[op];
  const lower: Pending[] = [...load(DATA.low(arg), low(mask)), { code, k: low(value), jt, jf }];
  if (high(mask) === 0 && high(value) === 0) return lower; // 0 equals 0
  const [greater, less] = HIGH[op];
  return [
    ...load(DATA.high(arg), high(mask)),
    ...(greater === less ? [] : [{ code: "jgt" as const, k: high(value), jt: greater, jf: 0 }]),
    { code: "jeq", k: high(value), jt: 0, jf: less },
    ...lower,
  ];
}

/** At most six conditions of seven instructions: every jump fits into its eight bits. */
function caseOf({ when, action }: Case): Instruction[] {
  const parts = when.map(condition);
  const length = parts.reduce((sum, part) => sum + part.length, 0) + 1;
  let at = 0;
  const out: Instruction[] = [];
  for (const part of parts) {
    const end = at + part.length;
    for (const { code, k, jt = 0, jf = 0 } of part) {
      const skip = (to: Target) => (to === "next" ? end : to === "fail" ? length : at + 1 + to) - at - 1;
      out.push(instruction(code, k, skip(jt), skip(jf)));
      at++;
    }
  }
  return [...out, instruction("ret", action)];
}

const leaf = ({ cases, otherwise }: Decision): Instruction[] => [...cases.flatMap(caseOf), instruction("ret", otherwise)];

interface Range {
  readonly start: number;
  readonly decision: Decision;
}

const sameConstant = (a: Decision, b: Decision): boolean =>
  a.cases.length === 0 && b.cases.length === 0 && a.otherwise === b.otherwise;

/** The whole of 0 … 2^32-1 in order. -1 is no call but a tracer's way to skip one (its own result is already set). */
function ranges(policy: Policy, arch: Arch): Range[] {
  const unknown = always(policy.otherwise);
  const marks: Range[] = [
    ...(arch === "x64" ? [{ start: X32_BIT, decision: always(RET.KILL_PROCESS) }] : []),
    { start: 0xffffffff, decision: always(RET.ALLOW) },
  ];
  const numbers = [...policy.calls.keys()].sort((a, b) => a - b);
  const all: Range[] = [{ start: 0, decision: unknown }];
  for (const start of numbers) {
    all.push({ start, decision: policy.calls.get(start)! });
    if (!policy.calls.has(start + 1)) all.push({ start: start + 1, decision: unknown });
  }
  all.push(...marks);
  const last = all.filter((range, i) => all[i + 1]?.start !== range.start);
  return last.filter((range, i) => i === 0 || !sameConstant(range.decision, last[i - 1]!.decision));
}

const LONGEST_JUMP = 255;

function search(list: readonly Range[]): Instruction[] {
  if (list.length === 1) return leaf(list[0]!.decision);
  const middle = list.length >> 1;
  const [below, above] = [search(list.slice(0, middle)), search(list.slice(middle))];
  const pivot = list[middle]!.start;
  return below.length <= LONGEST_JUMP
    ? [instruction("jge", pivot, below.length, 0), ...below, ...above]
    : [instruction("jge", pivot, 0, 1), instruction("ja", below.length), ...below, ...above];
}

/** The filter for one architecture: calls of any other end the process. Throws NsrunError when it is too long for the kernel. */
export function compile(policy: Policy, arch: Arch): Instruction[] {
  const program = [
    instruction("ld", DATA.arch),
    instruction("jeq", AUDIT_ARCH[arch], 1, 0),
    instruction("ret", RET.KILL_PROCESS),
    instruction("ld", DATA.nr),
    ...search(ranges(policy, arch)),
  ];
  if (program.length > MAX_INSTRUCTIONS)
    throw new NsrunError(`the seccomp filter has ${program.length} instructions, and the kernel takes ${MAX_INSTRUCTIONS}`);
  return program;
}

/** As specs and plans carry it: struct sock_filter[] in base64. */
export const filterText = (program: readonly Instruction[]): string => Buffer.from(toBytes(program)).toString("base64");
