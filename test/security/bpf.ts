/** A classic BPF machine as seccomp has it (kernel/seccomp.c, net/core/filter.c), and a policy read without compiling it. */
import type { Arch } from "../../src/ffi/abi.ts";
import { AUDIT_ARCH, CODE, type Instruction } from "../../src/security/bpf.ts";
import type { Condition, Decision, Policy } from "../../src/security/policy.ts";

export interface Call {
  readonly nr: number;
  readonly arch: number;
  readonly args: readonly bigint[];
}

function seccompData({ nr, arch, args }: Call): DataView {
  const view = new DataView(new ArrayBuffer(64));
  view.setUint32(0, nr, true);
  view.setUint32(4, arch, true);
  for (let i = 0; i < 6; i++) view.setBigUint64(16 + i * 8, args[i] ?? 0n, true);
  return view;
}

/** What the program returns, and how many instructions it took. Throws where the kernel would have refused the program. */
export function run(program: readonly Instruction[], call: Call): { action: number; steps: number } {
  const data = seccompData(call);
  let accumulator = 0;
  for (let at = 0, steps = 1; ; steps++) {
    const one = program[at];
    if (!one) throw new Error(`ran out of the program at ${at}`);
    const { code, jt, jf, k } = one;
    at++;
    if (code === CODE.ret) return { action: k >>> 0, steps };
    if (code === CODE.ld) {
      if (k % 4 !== 0 || k > 60) throw new Error(`a load at ${k}`);
      accumulator = data.getUint32(k, true);
    } else if (code === CODE.and) accumulator = (accumulator & k) >>> 0;
    else if (code === CODE.ja) at += k;
    else if (code === CODE.jeq) at += accumulator === k >>> 0 ? jt : jf;
    else if (code === CODE.jgt) at += accumulator > k >>> 0 ? jt : jf;
    else if (code === CODE.jge) at += accumulator >= k >>> 0 ? jt : jf;
    else throw new Error(`no such instruction: ${code}`);
  }
}

/** What bpf_check_classic wants of every instruction, those that never run as well. */
export function check(program: readonly Instruction[]): void {
  if (program.length === 0 || program.length > 4096) throw new Error(`${program.length} instructions`);
  for (const [i, { code, jt, jf, k }] of program.entries()) {
    if ([jt, jf].some((n) => !Number.isInteger(n) || n < 0 || n > 255)) throw new Error(`jump at ${i}: ${jt}, ${jf}`);
    const furthest = code === CODE.ja ? k : Math.max(jt, jf);
    if (i + 1 + furthest >= program.length && code !== CODE.ret) throw new Error(`jump at ${i} leaves the program`);
  }
  if (program.at(-1)?.code !== CODE.ret) throw new Error("does not end with a return");
}

const compare: Readonly<Record<Condition["op"], (a: bigint, b: bigint) => boolean>> = {
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
  lt: (a, b) => a < b,
  le: (a, b) => a <= b,
  gt: (a, b) => a > b,
  ge: (a, b) => a >= b,
};

const decided = ({ cases, otherwise }: Decision, args: readonly bigint[]): number =>
  cases.find(({ when }) => when.every(({ arg, op, value, mask }) => compare[op]((args[arg] ?? 0n) & mask, value)))?.action ??
  otherwise;

const KILL_PROCESS = 0x80000000;
const ALLOW = 0x7fff0000;

/** The answer by definition. */
export function expected(policy: Policy, arch: Arch, call: Call): number {
  if (call.arch !== AUDIT_ARCH[arch]) return KILL_PROCESS;
  if (call.nr === 0xffffffff) return ALLOW;
  if (arch === "x64" && call.nr >= 0x40000000) return KILL_PROCESS;
  const decision = policy.calls.get(call.nr);
  return (decision ? decided(decision, call.args) : policy.otherwise) >>> 0;
}

/** Values around everything that a condition compares with: where a comparison of the wrong width or sign shows. */
export function tellingValues(decision: Decision): bigint[] {
  const values = new Set<bigint>([0n, 1n, 0xffff_ffffn, 0x1_0000_0000n, 0xffff_ffff_ffff_ffffn, 0x8000_0000n]);
  for (const { value, mask } of decision.cases.flatMap((one) => one.when)) {
    for (const base of [value, mask, value & mask]) {
      for (const near of [base - 1n, base, base + 1n]) {
        for (const high of [0n, 1n << 32n, 0xffff_ffffn << 32n]) values.add(BigInt.asUintN(64, near | high));
        values.add(BigInt.asUintN(64, near ^ (1n << 63n)));
      }
    }
  }
  return [...values];
}
