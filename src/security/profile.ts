/**
 * Docker's and OCI's seccomp profiles (linux.seccomp of the runtime specification, with moby's additions) as a policy, by
 * libseccomp's rules: a rule without conditions beats those with some; of the others the first that holds counts.
 * What a container runtime would pass over in silence is an error here: an unknown key may be a condition misspelt.
 */
import type { Arch } from "../ffi/abi.ts";
import { errno } from "../ffi/errno.ts";
import { unistd } from "../ffi/unistd.ts";
import { RET } from "./bpf.ts";
import { bad, type Json, list, object, strings, unsigned } from "./json.ts";
import { ALL_BITS, always, type Case, type Condition, type Decision, type Policy, permits } from "./policy.ts";

/** What includes and excludes are compared with. */
export interface Context {
  readonly arch: Arch;
  /** CAP_… names of the container's bounding set. */
  readonly capabilities: ReadonlySet<string>;
  /** uname -r */
  readonly kernel: string;
}

export interface Profile {
  readonly policy: Policy;
  /** SECCOMP_FILTER_FLAG_* */
  readonly flags: number;
  /** Calls to be refused that this architecture, or our table, does not know: they are let through by the default action. */
  readonly unknown: readonly string[];
}

const KEYS = {
  profile:
    "defaultAction defaultErrnoRet defaultErrno architectures archMap syscalls flags comment listenerPath listenerMetadata",
  rule: "names name action args errnoRet errno includes excludes comment",
  arg: "index value valueTwo op",
  filter: "caps arches minKernel",
} as const;

const ACTIONS: Readonly<Record<string, number>> = {
  SCMP_ACT_KILL: RET.KILL_THREAD,
  SCMP_ACT_KILL_THREAD: RET.KILL_THREAD,
  SCMP_ACT_KILL_PROCESS: RET.KILL_PROCESS,
  SCMP_ACT_TRAP: RET.TRAP,
  SCMP_ACT_ERRNO: RET.ERRNO,
  SCMP_ACT_TRACE: RET.TRACE,
  SCMP_ACT_LOG: RET.LOG,
  SCMP_ACT_ALLOW: RET.ALLOW,
};
const WITH_DATA: readonly number[] = [RET.ERRNO, RET.TRACE];

/** linux/seccomp.h. The others want a listener, or threads that are not there yet. */
const FLAGS: Readonly<Record<string, number>> = {
  SECCOMP_FILTER_FLAG_TSYNC: 0,
  SECCOMP_FILTER_FLAG_LOG: 2,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 4,
};

const OPS: Readonly<Record<string, Condition["op"]>> = {
  SCMP_CMP_NE: "ne",
  SCMP_CMP_LT: "lt",
  SCMP_CMP_LE: "le",
  SCMP_CMP_EQ: "eq",
  SCMP_CMP_GE: "ge",
  SCMP_CMP_GT: "gt",
  SCMP_CMP_MASKED_EQ: "eq",
};

/** Go's names, as includes and excludes have them. */
const GO_ARCH: Readonly<Record<Arch, string>> = { x64: "amd64", arm64: "arm64" };

/** The errno of errnoRet, or of containers/common's errno by name. */
function errnoOf(number: unknown, name: unknown, fallback: number, where: string): number {
  if (number !== undefined && number !== null) return Number(unsigned(number, 0xffffn, `${where}.errnoRet`));
  if (name === undefined || name === "") return fallback;
  try {
    return errno(String(name));
  } catch {
    throw bad(`${where}.errno`, `no such errno: ${String(name)}`);
  }
}

function action(name: unknown, data: number, where: string): number {
  if (name === "SCMP_ACT_NOTIFY") throw bad(where, "SCMP_ACT_NOTIFY needs a listener, which nsrun has not");
  const value = typeof name === "string" && Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined;
  if (value === undefined) throw bad(where, `unknown action ${JSON.stringify(name)} (known: ${Object.keys(ACTIONS).join(" ")})`);
  return WITH_DATA.includes(value) ? value + data : value;
}

function conditionOf(value: unknown, where: string): Condition {
  const { index, value: first, valueTwo, op } = object(value, KEYS.arg, where);
  const name = typeof op === "string" && Object.hasOwn(OPS, op) ? OPS[op] : undefined;
  if (name === undefined)
    throw bad(`${where}.op`, `unknown comparison ${JSON.stringify(op)} (known: ${Object.keys(OPS).join(" ")})`);
  const arg = Number(unsigned(index, 5n, `${where}.index`));
  const operand = unsigned(first ?? 0, ALL_BITS, `${where}.value`);
  if (op !== "SCMP_CMP_MASKED_EQ") return { arg, op: name, value: operand, mask: ALL_BITS };
  return { arg, op: name, mask: operand, value: unsigned(valueTwo ?? 0, ALL_BITS, `${where}.valueTwo`) };
}

/** As runc and crun have it: all conditions must hold, but where one argument is named twice any of them is enough. */
function alternatives(value: unknown, where: string): Condition[][] {
  const all = list(value, where).map((one, i) => conditionOf(one, `${where}[${i}]`));
  const twice = new Set(all.map((one) => one.arg)).size < all.length;
  return twice ? all.map((one) => [one]) : [all];
}

/** "4.8" is older than "4.19.0-rc1". */
function atLeast(kernel: string, wanted: string, where: string): boolean {
  const parts = (text: string) => /^(\d+)\.(\d+)/.exec(text)?.slice(1).map(Number);
  const [is, need] = [parts(kernel), parts(wanted)];
  if (!need) throw bad(where, `no kernel version: ${wanted}`);
  return is === undefined || is[0]! > need[0]! || (is[0] === need[0] && is[1]! >= need[1]!);
}

/** Whether the container is what `includes` (all of it) or `excludes` (any of it) describes. */
function applies({ includes, excludes }: Json, { arch, capabilities, kernel }: Context, where: string): boolean {
  const read = (value: unknown, at: string) => {
    const { caps, arches, minKernel } = object(value ?? {}, KEYS.filter, at);
    return { caps: strings(caps, `${at}.caps`), arches: strings(arches, `${at}.arches`), minKernel: String(minKernel ?? "") };
  };
  const need = read(includes, `${where}.includes`);
  const not = read(excludes, `${where}.excludes`);
  const newEnough = (version: string, at: string) => atLeast(kernel, version, at);
  return (
    need.caps.every((cap) => capabilities.has(cap)) &&
    (need.arches.length === 0 || need.arches.includes(GO_ARCH[arch])) &&
    (need.minKernel === "" || newEnough(need.minKernel, `${where}.includes.minKernel`)) &&
    !not.caps.some((cap) => capabilities.has(cap)) &&
    !not.arches.includes(GO_ARCH[arch]) &&
    (not.minKernel === "" || !newEnough(not.minKernel, `${where}.excludes.minKernel`))
  );
}

interface Rule {
  readonly names: readonly string[];
  readonly alternatives: readonly (readonly Condition[])[];
  readonly action: number;
}

function ruleOf(value: unknown, context: Context, defaultErrno: number, where: string): Rule | undefined {
  const rule = object(value, KEYS.rule, where);
  const names = [...strings(rule.names, `${where}.names`), ...(typeof rule.name === "string" ? [rule.name] : [])];
  if (names.length === 0) throw bad(where, "names no system call");
  const given = action(rule.action, errnoOf(rule.errnoRet, rule.errno, defaultErrno, where), `${where}.action`);
  const conditions = alternatives(rule.args, `${where}.args`);
  return applies(rule, context, where) ? { names, alternatives: conditions, action: given } : undefined;
}

/** The rules for one call, in the order of the file. */
function decide(rules: readonly Rule[], fallback: number): Decision {
  const plain = rules.find((rule) => rule.alternatives.some((when) => when.length === 0));
  if (plain) return always(plain.action);
  const cases: Case[] = rules.flatMap((rule) => rule.alternatives.map((when) => ({ when, action: rule.action })));
  return { cases, otherwise: fallback };
}

function flagsOf(value: unknown, where: string): number {
  let flags = 0;
  for (const name of strings(value, where)) {
    if (!Object.hasOwn(FLAGS, name)) throw bad(where, `unknown flag ${name} (known: ${Object.keys(FLAGS).join(" ")})`);
    flags |= FLAGS[name]!;
  }
  return flags;
}

/** `value`: the parsed JSON; `where` names the file in messages. A whole config.json will do. Throws UsageError. */
export function profilePolicy(value: unknown, context: Context, where: string): Profile {
  const whole = value as { linux?: { seccomp?: unknown } } | null;
  const profile = object(whole?.linux?.seccomp ?? value, KEYS.profile, where);
  const EPERM = 1;
  const defaultErrno = errnoOf(profile.defaultErrnoRet, profile.defaultErrno, EPERM, where);
  const otherwise = action(profile.defaultAction, defaultErrno, `${where}.defaultAction`);
  const rules = list(profile.syscalls, `${where}.syscalls`)
    .map((rule, i) => ruleOf(rule, context, EPERM, `${where}.syscalls[${i}]`))
    .filter((rule) => rule !== undefined && rule.action !== otherwise) as Rule[]; // what the default does anyway is no rule
  const numbers = unistd(context.arch);
  const byName = new Map<string, Rule[]>();
  for (const rule of rules) for (const name of rule.names) byName.set(name, [...(byName.get(name) ?? []), rule]);
  const calls = new Map<number, Decision>();
  const unknown: string[] = [];
  for (const [name, its] of byName) {
    const number = numbers.get(name);
    if (number !== undefined) calls.set(number, decide(its, otherwise));
    else if (permits(otherwise) && its.some((rule) => !permits(rule.action))) unknown.push(name);
  }
  return { policy: { calls, otherwise }, flags: flagsOf(profile.flags, `${where}.flags`), unknown };
}
