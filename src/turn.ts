/**
 * Work of many small steps on the JS thread, in slices: between them the event loop has its turn, and with it signals, timers
 * and whoever wants the work to end. Such work is a generator that yields after each step: it can be done at once as well.
 */

/** Milliseconds: as long as the start of a container takes. */
const SLICE = 10;

/** Since when the event loop waits, at the earliest. */
let since = performance.now();

/** Whether the event loop has waited long enough. Some 50 ns. */
export const isDue = (): boolean => performance.now() - since > SLICE;

/** Lets the event loop go round once. Throws the reason of a signal that has fired. */
export async function turn(signal?: AbortSignal): Promise<void> {
  await new Promise((wake) => setImmediate(wake));
  since = performance.now();
  signal?.throwIfAborted();
}

/** What a step yields that waits for another process: the next one looks again. */
export const WAIT = "wait";
/** Milliseconds until then. */
const PAUSE = 1;

export type Steps = Generator<typeof WAIT | undefined, void>;

/** All steps of `work`, in slices. */
export async function inTurns(work: Steps, signal?: AbortSignal): Promise<void> {
  for (const step of work) {
    if (step === WAIT) await new Promise((wake) => setTimeout(wake, PAUSE));
    if (step === WAIT || isDue()) await turn(signal);
  }
}

/** All steps of `work`, now. */
export function atOnce(work: Steps): void {
  for (const step of work) if (step === WAIT) Bun.sleepSync(PAUSE);
}

/** What `work` gives, or the reason of a signal that fires before: then nobody waits for `work` any more. */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  const fired = Promise.withResolvers<never>();
  const abort = () => fired.reject(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([work, fired.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
