/** --timings: the parent's steps timed here, those of its children as plan/timed.ts notes them, all by one clock. */
import { bytes, sys } from "../ffi/syscall.ts";
import type { Plan, Step } from "../plan/step.ts";
import { RECORD_STAMPS, timed } from "../plan/timed.ts";
import type { Observer } from "./observer.ts";
import type { Slots } from "./slots.ts";

const CLOCK_REALTIME = 0;
const now_ = bytes(16);
const view = new DataView(now_.buffer);

/** Nanoseconds since 1970: above 2^53, hence a bigint. */
function realtime(): bigint {
  sys("clock_gettime", CLOCK_REALTIME, now_);
  return view.getBigInt64(0, true) * 1_000_000_000n + view.getBigInt64(8, true);
}

/** Bun's own clock is read in a tenth of the time that one of our system calls takes; the other one says where it began. */
const now = Bun.nanoseconds;

/** Of a start. Times are nanoseconds of CLOCK_REALTIME; 0: it never came to that. */
export interface Measured {
  /** As it would be without a watch. */
  readonly plan: Plan;
  readonly parent: ReadonlyMap<Step, { readonly begin: bigint; readonly end: bigint }>;
  /** Before the stage's clone. */
  readonly starting: bigint;
  /** By stampOf. */
  readonly stamps: readonly bigint[];
}

/** A plan that is started again is timed, and encoded, once. */
const known = new WeakMap<Plan, Plan>();

export class Stopwatch implements Observer {
  #plan: Plan | undefined;
  /** By Bun.nanoseconds(), as all of the parent's. */
  readonly #parent = new Map<Step, { begin: number; end: number }>();
  #begin = 0;
  #starting = 0;
  /** When Bun's clock began. */
  readonly #zero = realtime() - BigInt(now());
  readonly #stamps: bigint[] = [];
  /** How many records are still stamps. */
  #coming = 0;

  plan(plan: Plan): Plan {
    this.#plan = plan;
    this.#parent.clear(); // an older recipe begins anew
    const watched = known.get(plan) ?? timed(plan);
    known.set(plan, watched);
    return watched;
  }
  before(): void {
    this.#begin = now();
  }
  after(step: Step): void {
    this.#parent.set(step, { begin: this.#begin, end: now() });
  }
  started(slots: Slots | undefined): void {
    if (!slots) {
      this.#starting = now();
      return;
    }
    const mine = slots.get("exec.wrote"); // as long as we hold it too, an exec ends nothing
    sys("close", mine);
    slots.disown(mine);
  }
  record(kind: number, a: number, b: number): boolean {
    if (this.#coming > 0) {
      this.#coming--;
      // struct timespec, of which a record has three of four words: seconds in 64 bits, nanoseconds in 32
      this.#stamps.push(((BigInt(a) << 32n) | BigInt(kind >>> 0)) * 1_000_000_000n + BigInt(b));
      return true;
    }
    if (kind !== RECORD_STAMPS) return false;
    this.#coming = a;
    return true;
  }

  /** After the end. undefined: the start had failed, or its end was not heard. */
  get measured(): Measured | undefined {
    if (!this.#plan || this.#stamps.length === 0) return undefined;
    const since = (ns: number) => this.#zero + BigInt(ns);
    const parent = new Map([...this.#parent].map(([step, t]) => [step, { begin: since(t.begin), end: since(t.end) }]));
    return { plan: this.#plan, parent, starting: since(this.#starting), stamps: this.#stamps };
  }
}
