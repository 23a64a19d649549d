/** The parent's descriptors of one start, by the plan's names for them; and the parent's steps, made one after the other. */

import type { NsrunError } from "../errors.ts";
import type { SyscallName } from "../ffi/abi.ts";
import type { Bytes, Words } from "../ffi/program.ts";
import { addressOf, bytes, type SyscallArg, sys } from "../ffi/syscall.ts";
import { set64 } from "../ffi/words.ts";
import type { NetVerb } from "../net/verb.ts";
import type { Arg, NetStep, Plan, ProgramStep, RelayStep, Step, SyscallStep } from "../plan/step.ts";
import { stepError } from "./failure.ts";
import type { Observer } from "./observer.ts";

/** What a kind of network needs besides system calls; loaded only by a container that has it. */
export interface NetworkDriver extends Partial<Disposable> {
  /** Makes an rtnetlink request. `netns` opens the container's network namespace: a descriptor. */
  run?(side: NetStep["side"], verb: NetVerb, netns: () => number): void;
  /** Sets slots for descriptors of its own. */
  fill?(slots: Slots): void;
  /** Begins with what goes on beside the container. */
  relay?(relay: RelayStep["relay"], slots: Slots): void;
  /** The error for a failed step of a child, where the driver knows more than the errno. */
  explain?(step: SyscallStep): NsrunError | undefined;
}

/** Runs the plan's programs: programs.ts, loaded only for a container that has some. */
export type ProgramRunner = (plan: Plan, step: ProgramStep, slots: Slots) => void;

export class Slots {
  readonly #numbers = new Map<string, number>();
  readonly #owned: number[] = [];

  constructor(
    readonly network?: NetworkDriver,
    readonly programs?: ProgramRunner,
    readonly observer?: Observer,
  ) {
    network?.fill?.(this);
  }

  /** A number that somebody else owns. */
  set(name: string, value: number): void {
    this.#numbers.set(name, value);
  }
  get(name: string): number {
    const value = this.#numbers.get(name);
    if (value === undefined) throw new TypeError(`the plan uses slot ${name} before it is filled`);
    return value;
  }
  own(name: string, fd: number): void {
    this.#numbers.set(name, fd);
    this.#owned.push(fd);
  }
  /** A step of the plan has closed it: the number may be somebody else's by the time of our own close. */
  disown(fd: number): void {
    const at = this.#owned.lastIndexOf(fd);
    if (at >= 0) this.#owned.splice(at, 1);
  }
  /** Closes in reverse order. */
  close(): void {
    this.network?.[Symbol.dispose]?.();
    for (const fd of this.#owned.splice(0).reverse()) sys("close", fd);
  }
}

function resolveArg(arg: Exclude<Arg, number | string | null>, slots: Slots): SyscallArg {
  if ("slot" in arg) return slots.get(arg.slot);
  if ("template" in arg) return arg.template.map((part) => (typeof part === "string" ? part : slots.get(part.slot))).join("");
  if ("bytes" in arg) return stable(arg.bytes);
  if ("words" in arg) return words(arg.words, slots);
  throw new TypeError("the register belongs to the child");
}

/** Node's Buffers share a pool whose address holds; arrays made by length may move. */
function stable(source: Uint8Array): Uint8Array {
  const copy = bytes(source.length);
  copy.set(source);
  return copy;
}

/** What the kernel still reads through a pointer while the call runs. */
const pointedAt: Uint8Array[] = [];

function pointer(memory: Words | Bytes, slots: Slots): number {
  const target = "bytes" in memory ? stable(memory.bytes) : words(memory.words, slots);
  pointedAt.push(target);
  return addressOf(target);
}

function words(list: Words["words"], slots: Slots): Uint8Array {
  const memory = bytes(list.length * 8);
  const ints = new Int32Array(memory.buffer);
  for (let i = 0; i < list.length; i++) {
    const word = list[i]!;
    if (typeof word === "string") throw new TypeError("a pointer in the parent's words");
    if (typeof word === "bigint") new BigInt64Array(memory.buffer)[i] = word;
    else set64(ints, i * 2, typeof word === "number" ? word : "slot" in word ? slots.get(word.slot) : pointer(word, slots));
  }
  return memory;
}

function systemCall(step: SyscallStep, slots: Slots): number {
  const given: SyscallArg[] = [];
  for (const arg of step.args) given.push(typeof arg === "object" && arg !== null ? resolveArg(arg, slots) : arg);
  const result = sys(step.call as SyscallName, given[0], given[1], given[2], given[3], given[4], given[5]);
  pointedAt.length = 0;
  if (result < 0) return result;
  if (typeof step.store === "string") slots.own(step.store, result);
  else if (typeof step.store === "object") ownPair(step.store, given, slots);
  if (step.call === "close") slots.disown(given[0] as number);
  return result;
}

/** The two descriptors that the call wrote into its one piece of memory. */
function ownPair(names: readonly [string, string], given: readonly SyscallArg[], slots: Slots): void {
  const memory = given.find((arg) => arg instanceof Uint8Array);
  if (!memory) throw new TypeError("a step stores two descriptors and has no memory for them");
  const view = new DataView(memory.buffer, memory.byteOffset);
  for (const [i, name] of names.entries()) slots.own(name, view.getInt32(i * 4, true));
}

/** The request, with the descriptor of the namespace for a new pair's far end. */
function withPeer({ verb, peerIn }: NetStep, slots: Slots): NetVerb {
  if (peerIn === undefined || verb.verb !== "link add veth") return verb;
  return { ...verb, peer: { ...verb.peer, netns: slots.get(peerIn) } };
}

function runStep(plan: Plan, step: Step, slots: Slots): void {
  if ("verb" in step) {
    const verb = withPeer(step, slots);
    if (!slots.network?.run) throw new TypeError("the plan has network steps and nobody to make them");
    slots.network.run(step.side, verb, () => slots.get("netns"));
    return;
  }
  if ("relay" in step) {
    slots.network?.relay?.(step.relay, slots);
    return;
  }
  if ("programs" in step) {
    if (!slots.programs) throw new TypeError("the plan has programs and nobody to run them");
    slots.programs(plan, step, slots);
    return;
  }
  const result = systemCall(step, slots);
  if (result < 0 ? -result !== step.tolerate : step.exact === true && result !== step.args[2]) {
    throw stepError(plan, step, -Math.min(result, 0));
  }
}

/** Makes the parent's `steps` in order. Throws StepError for the first that fails; the caller closes the slots. */
export function runParent(plan: Plan, steps: readonly Step[], slots: Slots): void {
  const { observer } = slots;
  for (const step of steps) {
    observer?.before?.(step);
    runStep(plan, step, slots);
    observer?.after?.(step);
  }
}
