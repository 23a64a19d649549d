/** What a lesson is: words, plans, code, and a run that says what it predicts and what it has observed. */
import type { Caller } from "../container/caller.ts";
import type { ContainerOptions } from "../container/options.ts";
import type { RawStep } from "../ffi/program.ts";

/** A call of a child, and what it is for. */
export type Act = RawStep & { readonly label: string };
export type Calls = readonly Act[];

/** What the kernel is asked to do: a container of nsrun's, or a child of clone(2) with its list of calls. */
export type Making =
  | { readonly title: string; readonly command: readonly string[]; readonly options: ContainerOptions }
  | { readonly title: string; readonly flags: number; readonly calls: Calls };

export interface Lesson {
  readonly name: string;
  /** One line. */
  readonly title: string;
  /** What will be done, step by step, before it is done. */
  readonly will: readonly string[];
  /** What is made on the way, for --explain: the same data that run uses. Makes nothing but files that it removes. */
  plans(caller: Caller): Making[] | AsyncGenerator<Making>;
  /** The program that does the same with the library. */
  readonly code: object;
  /** The clone lesson alone needs none. */
  readonly needsNamespaces?: false;
  run(lab: Lab): Promise<void> | void;
}

/** One thing that was observed, beside what had been said of it before. */
export interface Proof {
  readonly what: string;
  readonly predicted: string;
  readonly observed: string;
  readonly ok: boolean;
}

/** A part that cannot be shown here. */
export interface Missing {
  readonly part: string;
  readonly why: string;
  readonly remedy: string;
}

/** A prediction that is no exact text: its words, and when it has come true. */
export interface Prediction {
  readonly text: string;
  holds(observed: string): boolean;
}

export const like = (text: string, pattern: RegExp): Prediction => ({ text, holds: (observed) => pattern.test(observed) });

/** Where a lesson's run puts what it has seen. */
export class Lab {
  readonly proofs: Proof[] = [];
  readonly missing: Missing[] = [];
  readonly shown: { readonly title: string; readonly lines: readonly string[] }[] = [];
  constructor(readonly caller: Caller) {}

  see(what: string, predicted: string | Prediction, observed: string | number): void {
    const text = String(observed);
    const exact = typeof predicted === "string";
    const ok = exact ? text === predicted : predicted.holds(text);
    this.proofs.push({ what, predicted: exact ? predicted : predicted.text, observed: text, ok });
  }

  cannot(part: string, why: string, remedy: string): void {
    this.missing.push({ part, why, remedy });
  }

  /** Lines that are worth reading, such as the commands that would do the same. */
  show(title: string, lines: readonly string[]): void {
    this.shown.push({ title, lines });
  }
}
