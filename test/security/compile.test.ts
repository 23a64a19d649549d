/** A filter decides what its policy says: every number, every architecture, every telling argument. */
import { expect, test } from "bun:test";
import { ARCHES, type Arch } from "../../src/ffi/abi.ts";
import { unistd } from "../../src/ffi/unistd.ts";
import { AUDIT_ARCH, fromBytes, RET, toBytes } from "../../src/security/bpf.ts";
import { compile } from "../../src/security/compile.ts";
import { BY_CAPABILITY, defaultPolicy, initPolicy } from "../../src/security/default-policy.ts";
import { always, type Condition, type Decision, type Policy } from "../../src/security/policy.ts";
import { type Call, check, expected, run, tellingValues } from "./bpf.ts";

/** i386, arm, x86_64, aarch64, s390x: linux/audit.h */
const AUDIT = [0x40000003, 0x40000028, AUDIT_ARCH.x64, AUDIT_ARCH.arm64, 0x80000016];
const EDGES = [0x3fffffff, 0x40000000, 0x40000001, 0x400001ff, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff];
const NUMBERS = [...Array.from({ length: 1024 }, (_, i) => i), ...EDGES];

/** Arguments for one call: each telling value at each argument that is looked at, the others quiet and noisy. */
function argumentsFor(decision: Decision | undefined): bigint[][] {
  if (!decision || decision.cases.length === 0) return [[], [1n, 2n, 3n, 4n, 5n, 6n]];
  const looked = [...new Set(decision.cases.flatMap((one) => one.when.map(({ arg }) => arg)))];
  const values = tellingValues(decision);
  const all: bigint[][] = [];
  for (const arg of looked)
    for (const value of values)
      for (const rest of [0n, 0xdead_beef_0000_0001n]) all.push(Array.from({ length: 6 }, (_, i) => (i === arg ? value : rest)));
  if (looked.length > 1)
    for (const a of values)
      for (const b of values) all.push(Array.from({ length: 6 }, (_, i) => (i === looked[0] ? a : i === looked[1] ? b : 0n)));
  return all;
}

function prove(policy: Policy, arch: Arch): number {
  const program = compile(policy, arch);
  check(program);
  let cases = 0;
  const wrong: { call: Call; is: number; should: number }[] = [];
  for (const audit of AUDIT)
    for (const nr of NUMBERS)
      for (const args of audit === AUDIT_ARCH[arch] ? argumentsFor(policy.calls.get(nr)) : [[]]) {
        const call = { nr, arch: audit, args };
        const [is, should] = [run(program, call).action, expected(policy, arch, call)];
        if (is !== should) wrong.push({ call, is, should });
        cases++;
      }
  expect(wrong.slice(0, 3)).toEqual([]);
  return cases;
}

const CAPABILITIES = [[], Object.keys(BY_CAPABILITY), ...Object.keys(BY_CAPABILITY).map((name) => [name])];

for (const arch of ARCHES) {
  test(`the default filter of ${arch} is its table: every number, architecture and argument, with each capability`, () => {
    for (const names of CAPABILITIES) expect(prove(defaultPolicy(arch, new Set(names)), arch)).toBeGreaterThan(6000);
    prove(initPolicy(arch), arch);
  });

  test(`any number of ${arch} is found in at most fifteen instructions`, () => {
    const policy = defaultPolicy(arch, new Set());
    const program = compile(policy, arch);
    const slow = [...unistd(arch)].filter(([, nr]) => !policy.calls.get(nr)?.cases.length);
    const most = Math.max(...slow.map(([, nr]) => run(program, { nr, arch: AUDIT_ARCH[arch], args: [] }).steps));
    expect(most).toBeLessThanOrEqual(15);
  });
}

/** Numbers that look random and are the same each time: mulberry32. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const OPS: readonly Condition["op"][] = ["eq", "ne", "lt", "le", "gt", "ge"];
const MASKS = [0xffff_ffff_ffff_ffffn, 0xffff_ffffn, 0x7e020000n, 0xffff_ffff_0000_0000n, 0n, 0x8000_0000_8000_0000n];
const WORDS = [0n, 1n, 38n, 0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn, 0x1_0000_0000n, 0x1_0000_0026n, 0xffff_ffff_ffff_ffffn];

function randomPolicy(next: () => number): Policy {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)]!;
  const action = () => pick([RET.ALLOW, RET.LOG, RET.ERRNO + 1, RET.ERRNO + 38, RET.KILL_THREAD, RET.KILL_PROCESS, RET.TRAP]);
  const condition = (): Condition => ({ arg: Math.floor(next() * 6), op: pick(OPS), value: pick(WORDS), mask: pick(MASKS) });
  const decision = (): Decision =>
    next() < 0.6
      ? always(action())
      : {
          cases: Array.from({ length: 1 + Math.floor(next() * 4) }, () => ({
            when: Array.from({ length: 1 + Math.floor(next() * 3) }, condition),
            action: action(),
          })),
          otherwise: action(),
        };
  const count = Math.floor(next() * 60);
  return { calls: new Map(Array.from({ length: count }, () => [Math.floor(next() * 500), decision()])), otherwise: action() };
}

test("200 random policies: all comparisons, masks and widths", () => {
  const next = random(6);
  for (let i = 0; i < 200; i++) {
    const policy = randomPolicy(next);
    const arch = ARCHES[i % 2]!;
    const program = compile(policy, arch);
    check(program);
    for (const [nr, decision] of policy.calls)
      for (const args of argumentsFor(decision).slice(0, 400)) {
        const call = { nr, arch: AUDIT_ARCH[arch], args };
        expect(run(program, call).action).toBe(expected(policy, arch, call));
      }
  }
});

test("a long program has long jumps, and one that is too long is refused", () => {
  const long = (calls: number): Policy => ({
    calls: new Map(
      Array.from({ length: calls }, (_, nr) => [
        nr * 2,
        {
          cases: [{ when: [{ arg: 0, op: "eq", value: BigInt(nr), mask: 0xffff_ffffn }], action: RET.ALLOW }],
          otherwise: RET.ERRNO + 1,
        },
      ]),
    ),
    otherwise: RET.ERRNO + 38,
  });
  prove(long(400), "x64");
  expect(() => compile(long(800), "x64")).toThrow(/the seccomp filter has \d+ instructions, and the kernel takes 4096/);
});

test("the bytes are struct sock_filter, and come back", () => {
  const program = compile(defaultPolicy("x64", new Set()), "x64");
  const bytes = toBytes(program);
  expect([...bytes.subarray(0, 16)]).toEqual([0x20, 0, 0, 0, 4, 0, 0, 0, 0x15, 0, 1, 0, 0x3e, 0, 0, 0xc0]);
  expect(fromBytes(bytes)).toEqual(program.map((one) => ({ ...one, k: one.k >>> 0 })));
});
