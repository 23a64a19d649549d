/** A policy of ours as linux.seccomp of the OCI runtime specification, for --plan=oci. The way back is profile.ts. */
import type { Arch } from "../ffi/abi.ts";
import { unistd } from "../ffi/unistd.ts";
import { RET } from "./bpf.ts";
import { type Condition, type Decision, INT, type Policy } from "./policy.ts";

/** All x for which x & mask is value: the one kind of comparison that may be named more than once for an argument, as alternatives. */
interface Cube {
  readonly mask: bigint;
  readonly value: bigint;
}
const EVERYTHING: Cube = { mask: 0n, value: 0n };
const BITS = 32n;

/** first <= x <= last: the fewest blocks of a power of two that make it up. */
function range(first: bigint, last: bigint): Cube[] {
  const cubes: Cube[] = [];
  for (let from = first; from <= last; ) {
    let size = 1n;
    while (from % (size * 2n) === 0n && from + size * 2n - 1n <= last) size *= 2n;
    cubes.push({ mask: INT ^ (size - 1n), value: from });
    from += size;
  }
  return cubes;
}

/** All of `when`, which are about one int. Throws RangeError for what the default policy has not. */
function cubesOf(when: readonly Condition[]): Cube[] {
  const [one] = when;
  if (when.length === 1 && one?.op === "eq") return [{ mask: one.mask, value: one.value }];
  const bound = (op: Condition["op"]) => when.find((condition) => condition.op === op && condition.mask === INT)?.value;
  const [first, last] = [bound("ge"), bound("le")];
  if (when.length !== 2 || first === undefined || last === undefined) throw new RangeError("no cube");
  return range(first, last);
}

function both(a: Cube, b: Cube): Cube[] {
  if (((a.value ^ b.value) & a.mask & b.mask) !== 0n) return [];
  return [{ mask: a.mask | b.mask, value: a.value | b.value }];
}

/** Everything but one: for each of its bits, what agrees above and differs there. */
function but({ mask, value }: Cube): Cube[] {
  const cubes: Cube[] = [];
  let above = 0n;
  for (let bit = 1n << (BITS - 1n); bit > 0n; bit >>= 1n) {
    if ((mask & bit) === 0n) continue;
    cubes.push({ mask: above | bit, value: (value & above) | (~value & bit) });
    above |= bit;
  }
  return cubes;
}

const rest = (cubes: readonly Cube[]): Cube[] =>
  cubes.reduce<Cube[]>((left, cube) => left.flatMap((one) => but(cube).flatMap((other) => both(one, other))), [EVERYTHING]);

function action(value: number): { action: string; errnoRet?: number } {
  return value === RET.ALLOW ? { action: "SCMP_ACT_ALLOW" } : { action: "SCMP_ACT_ERRNO", errnoRet: value & 0xffff };
}

const rules = (name: string, index: number, cubes: readonly Cube[], result: number) =>
  cubes.map(({ mask, value }) => ({
    names: [name],
    ...action(result),
    args: [{ index, value: Number(mask), valueTwo: Number(value), op: "SCMP_CMP_MASKED_EQ" }],
  }));

/** One that depends on an argument: each case, and all the rest, since a rule without conditions would beat them. */
function conditional(name: string, { cases, otherwise }: Decision) {
  const found = cases.map(({ when, action }) => ({ cubes: cubesOf(when), action }));
  const index = cases[0]!.when[0]!.arg;
  return [
    ...found.flatMap(({ cubes, action }) => rules(name, index, cubes, action)),
    ...rules(name, index, rest(found.flatMap(({ cubes }) => cubes)), otherwise),
  ];
}

const ARCHITECTURES: Readonly<Record<Arch, string>> = { x64: "SCMP_ARCH_X86_64", arm64: "SCMP_ARCH_AARCH64" };

/** config-linux.md, "Seccomp". Only actions ALLOW and ERRNO, and conditions on one int, as defaultPolicy() has them. */
export function ociSeccomp(policy: Policy, arch: Arch): object {
  const plain = new Map<number, string[]>();
  const some: object[] = [];
  for (const [name, number] of unistd(arch)) {
    const decision = policy.calls.get(number);
    if (!decision) continue;
    if (decision.cases.length > 0) some.push(...conditional(name, decision));
    else plain.set(decision.otherwise, [...(plain.get(decision.otherwise) ?? []), name]);
  }
  const { action: defaultAction, errnoRet: defaultErrnoRet } = action(policy.otherwise);
  return {
    defaultAction,
    ...(defaultErrnoRet === undefined ? {} : { defaultErrnoRet }),
    architectures: [ARCHITECTURES[arch]],
    syscalls: [...[...plain].map(([result, names]) => ({ names, ...action(result) })), ...some],
  };
}
