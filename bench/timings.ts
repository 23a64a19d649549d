/**
 * What measuring costs (`--timings`): the library in one process, with and without a stopwatch, in pairs, one right after the
 * other and each order as often, so that whatever else the machine does falls on both. `bun bench/timings.ts [PAIRS]`, as root.
 * Milliseconds from the call of start() to the result.
 */
import { Stopwatch } from "../src/container/stopwatch.ts";
import { run } from "../src/index.ts";

const pairs = Number(process.argv[2] ?? 400);
const WARM_UP = 20;
/** What it may cost, of a start. */
const MOST = 0.05;

async function once(observer?: Stopwatch): Promise<number> {
  const { timings } = await run(["true"], { observer });
  return timings.ended;
}

const plain: number[] = [];
const more: number[] = [];
for (let pair = -WARM_UP; pair < pairs; pair++) {
  const first = await once(pair % 2 ? new Stopwatch() : undefined);
  const second = await once(pair % 2 ? undefined : new Stopwatch());
  if (pair < 0) continue;
  const [without, timed] = pair % 2 ? [second, first] : [first, second];
  plain.push(without);
  more.push(timed - without);
}

const median = (list: readonly number[]) => [...list].sort((a, b) => a - b)[list.length >> 1] ?? 0;
const [start, cost] = [median(plain), median(more)];
const share = cost / start;
console.log(`start to end       ${start.toFixed(3)}`);
console.log(
  `with a stopwatch   ${(cost * 1000).toFixed(0)} µs more, ${(share * 100).toFixed(1)} % (at most 5: ${share < MOST ? "met" : "missed"})`,
);
