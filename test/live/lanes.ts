/** A plan's lane against the calls that strace saw of one process: step by step, argument by argument. */
import { expect } from "bun:test";
import { CAPABILITIES } from "../../src/ffi/flags.ts";
import { FS } from "../../src/security/landlock-rights.ts";
import { isRoot } from "./helpers.ts";
import type { Call } from "./strace.ts";
import { splitArguments } from "./strace.ts";

/** A step of `--plan=json`: docs/plan-json.md. */
export interface JsonStep {
  readonly number: number;
  readonly lane: string;
  readonly label: string;
  readonly call: { readonly name: string; readonly args: readonly unknown[]; readonly made_of?: readonly string[] };
  readonly text: string;
  readonly stores?: string | readonly [string, string];
  readonly tolerates?: number;
  readonly may_fail?: boolean;
}

/** What the loops of the trampoline look like from outside, as the calls' names. */
const LOOPS: Readonly<Record<string, RegExp>> = {
  reset_signals: /^(rt_sigaction ){64}/,
  guard: /^ppoll /,
  watch: /^pidfd_open (ppoll |recvmsg |ioctl |read |write |close |clock_gettime )*wait4 sendto /,
  reap: /^munmap (rt_sigtimedwait |wait4 |kill )*sendto exit_group $/,
  sweep: /^(openat read close (kill wait4 )*)+/,
  restore_terminal: /^ioctl (ioctl )?/,
  bound_capabilities: /^(prctl )+/,
  rooted: /^getcwd /,
  on_mounts: /^(statx ){2,}/,
  at_root: /^getcwd /,
  says: /^fstatfs (pread64 )+/,
  descriptors: /^(fcntl ){61,}/,
};

/** Each capability that the kernel knows is looked at, in order; those that are not kept are dropped, and no other. */
function matchBound(step: JsonStep, calls: readonly Call[]): number {
  const keep = BigInt(step.call.args[0] as number);
  let at = 0;
  const next = (operation: string, cap: number): Call => {
    const call = calls[at++];
    const name = CAPABILITIES[cap] ?? `0x${cap.toString(16)} /* CAP_??? */`;
    expect([call?.name, call?.args]).toEqual(["prctl", [operation, name]]);
    return call!;
  };
  for (let cap = 0; ; cap++) {
    const { result } = next("PR_CAPBSET_READ", cap);
    if (result.startsWith("-1 EINVAL")) return at;
    if (result === "1" && ((keep >> BigInt(cap)) & 1n) === 0n) expect(next("PR_CAPBSET_DROP", cap).result).toBe("0");
  }
}

/** strace 6.1 knows neither the younger rights nor the younger fields of Landlock: the first by their bits, the others left out. */
const RIGHT = "(?:LANDLOCK_ACCESS_FS_\\w+|0x[0-9a-f]+)";
const RIGHTS = new RegExp(`${RIGHT}(?:\\|${RIGHT})*`, "g");
const rightBit = (word: string): number =>
  word.startsWith("0x") ? Number(word) : FS[word.slice(19).toLowerCase().replaceAll("_", "-")]![0];
function landlock(text: string): string {
  if (!text.includes("LANDLOCK_ACCESS_FS_")) return text;
  const byBits = text.replace(RIGHTS, (words) => `rights ${words.split("|").reduce((all, word) => all | rightBit(word), 0)}`);
  return byBits.replace(/(\{handled_access_fs=rights \d+), .*\}/, "$1, ...}");
}

/** The same set of flags in the same order, no comments, no addresses. */
const canonical = (text: string): string =>
  landlock(text)
    .replace(/\s*\/\*.*?\*\//g, "")
    .replace(/nsr[0-9a-z]{10,12}\b/g, "<veth>")
    .replace(/\b(\d+)\*1024\b/g, (_, n: string) => String(Number(n) * 1024)) // a limit, as strace likes it
    .replace(/[A-Z0-9_]+(\|[A-Z0-9_]+)+/g, (flags) => flags.split("|").sort().join("|"));

/** strace does not always know that a socket is rtnetlink's, and shows the body as bytes: linux/rtnetlink.h. */
function netlink(text: string): string {
  if (!/nlmsg_type=(0x11|RTM_DELLINK)/.test(text)) return text;
  const bytes = Buffer.from([...text.matchAll(/\\x([0-9a-f]{2})/g)].map((m) => Number.parseInt(m[1]!, 16)));
  const [name] = /nsr[0-9a-z]+/.exec(bytes.length > 0 ? bytes.toString("latin1") : text) ?? [];
  return `{RTM_DELLINK, IFLA_IFNAME="${name}"}`;
}

/** What a run has instead of the plan's names in angle brackets. */
export type Bindings = Map<string, string>;

const ANYTHING = new Set(["veth", "bytes", "ready", "rec", "filter"]);

/**
 * What strace shows of memory that it may not read: an ordinary user's processes are out of reach once they are not to be traced
 * (PR_SET_DUMPABLE). The memory's text is then for root's run of the same test.
 */
const isAddress = (planned: string, seen: string): boolean =>
  !isRoot && /^["[{]/.test(planned) && /^0x[0-9a-f]+$/.test(canonical(seen).trim());

/** Throws unless `seen` is `planned` with each `<name>` replaced by the value it has in `bindings`, or gets here. */
function matchArgument(planned: string, seen: string, bindings: Bindings): void {
  if (isAddress(planned, seen)) return;
  const names: string[] = [];
  const pattern = canonical(planned)
    .split(/(<[^<>]+>)/)
    .map((part) => {
      const name = /^<([^<>]+)>$/.exec(part)?.[1];
      if (name === undefined) return part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
      if (ANYTHING.has(name)) return ".*";
      names.push(name);
      return "(.+?)";
    })
    .join("");
  const found = new RegExp(`^${pattern}$`, "s").exec(canonical(netlink(seen)));
  if (!found) throw new Error(`planned ${planned}, made ${seen}`);
  for (const [i, name] of names.entries()) {
    const value = found[i + 1]!;
    const known = bindings.get(name);
    if (known !== undefined && known !== value) throw new Error(`<${name}> is ${known}, not ${value}, in ${planned}`);
    bindings.set(name, value);
  }
}

/** The text of a step with what its text only counts: argv and the environment. */
function wholeText(step: JsonStep): string {
  const { name, args } = step.call;
  if (name !== "execve") return step.text;
  const list = (arg: unknown) => `[${(arg as { strings: string[] }).strings.map((s) => JSON.stringify(s)).join(", ")}]`;
  return `execve(${JSON.stringify(args[0])}, ${list(args[1])}, ${list(args[2])})`;
}

function matchCall(step: JsonStep, call: Call, bindings: Bindings): void {
  const [, name, args] = /^(\w+)\((.*)\)$/s.exec(wholeText(step)) ?? [];
  if (name !== call.name) throw new Error(`planned ${step.text}, made ${call.name}(${call.args.join(", ")})`);
  const planned = splitArguments(args!);
  if (planned.length !== call.args.length)
    throw new Error(`planned ${step.text}, made ${call.name}(${call.args.join(", ")}): another number of arguments`);
  for (const [i, argument] of planned.entries()) matchArgument(argument, call.args[i]!, bindings);
}

const errorOf = (call: Call): string | undefined => /^-1 (\w+)/.exec(call.result)?.[1];

/** Stores what the step stores: its result, or the two descriptors it was given. */
function store(step: JsonStep, call: Call, bindings: Bindings): void {
  if (typeof step.stores === "string") bindings.set(step.stores, call.result.split(" ")[0]!);
  else if (step.stores) for (const name of step.stores) if (!bindings.has(name)) throw new Error(`<${name}> has no value`);
}

/** What was read has every line of what the plan says that it must. */
function matchText(step: JsonStep, { args }: Call): void {
  const { memory } = step.call.args[1] as { memory: string };
  if (isAddress('"', args[1]!)) return;
  for (const line of (JSON.parse(memory) as string).trimEnd().split("\n")) {
    if (!args[1]!.includes(JSON.stringify(line).slice(1, -1))) throw new Error(`planned ${memory}, made ${args[1]}`);
  }
}

export function matchStep(step: JsonStep, call: Call, bindings: Bindings): void {
  if (typeof step.stores === "string") {
    const before = new Map(bindings);
    before.delete(step.stores === "result" ? "" : step.stores);
    matchCall(step, call, before);
    for (const [name, value] of before) bindings.set(name, value);
  } else matchCall(step, call, bindings);
  const error = errorOf(call);
  if (error !== undefined && step.tolerates === undefined && !step.may_fail)
    throw new Error(`${step.text} failed with ${error} and the plan does not know it may`);
  store(step, call, bindings);
}

/**
 * Throws unless `calls` begin with exactly the steps of `lane`. A step that may fail and did may be followed by the trampoline's
 * word about it. Returns how many calls were the lane's.
 */
export function matchLane(steps: readonly JsonStep[], calls: readonly Call[], bindings: Bindings): number {
  let at = 0;
  for (const step of steps) {
    const loop = LOOPS[step.call.name];
    if (loop) {
      const names = calls.slice(at).map((call) => `${call.name} `);
      const [found] = loop.exec(names.join("")) ?? [];
      if (found === undefined) throw new Error(`planned ${step.call.name}, made ${names.slice(0, 5).join(" ")}`);
      if (step.call.name === "bound_capabilities") {
        at += matchBound(step, calls.slice(at));
        continue;
      }
      if (step.call.name === "says") matchText(step, calls[at + 1]!);
      if (step.call.name === "at_root") matchCall({ ...step, text: 'getcwd("/", 4096)' }, calls[at]!, bindings);
      if (step.call.name === "guard") matchCall({ ...step, text: step.text }, calls[at]!, bindings);
      at += found.split(" ").length - 1;
      continue;
    }
    const call = calls[at++];
    if (!call) throw new Error(`planned ${step.text}, made nothing more`);
    matchStep(step, call, bindings);
    if (step.call.name === "execve" && !errorOf(call)) return at;
    if (!step.may_fail || !errorOf(call)) continue;
    // the trampoline may say so at once
    const word = calls[at]?.name === "sendto" ? calls[at]!.args[1]! : "";
    if (isAddress('"', word) || word.startsWith('"\\4\\0\\0\\0')) at++;
  }
  return at;
}
