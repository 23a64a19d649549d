/** The event loop has its turn while a root is made, and who no longer wants it is heard: nothing of it is left then. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sys } from "../../src/ffi/syscall.ts";
import { buildOnce } from "../../src/rootfs/build-once.ts";
import { cachedTar } from "../../src/rootfs/cache.ts";
import { member, Place, stream, tar } from "./tar-writer.ts";

/** Milliseconds. Some 10 are meant; a machine with other work has pauses of its own. */
const GAP = 200;
const FILES = 40_000;

let place: Place;
let cache: string;
const before = process.env.NSRUN_CACHE;
beforeEach(() => {
  place = new Place();
  cache = join(place.target, "cache");
  process.env.NSRUN_CACHE = cache;
});
afterEach(() => {
  if (before === undefined) delete process.env.NSRUN_CACHE;
  else process.env.NSRUN_CACHE = before;
  place[Symbol.dispose]();
});

/** As many members as make a long work, of one header that is given other names. */
function many(count: number): Buffer {
  const names = Array.from({ length: count }, (_, i) => member({ name: `d${i % 100}/f${i}`, type: i % 100 === 50 ? "5" : "0" }));
  return tar(...names);
}
const archive = (count = FILES): string => {
  const path = join(place.target, "many.tar");
  writeFileSync(path, many(count));
  return path;
};
/** The longest time between two turns of a timer during `work`, and how long all took. */
async function watched(work: () => Promise<unknown>): Promise<{ gap: number; took: number }> {
  const begin = performance.now();
  let [last, gap] = [begin, 0];
  const look = () => {
    const now = performance.now();
    gap = Math.max(gap, now - last);
    last = now;
  };
  const timer = setInterval(look, 1);
  try {
    await work();
  } finally {
    look();
    clearInterval(timer);
  }
  return { gap, took: performance.now() - begin };
}
const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => "done",
    (error: unknown) => error,
  );
/** What the cache holds besides the note of an archive's hash. */
const left = (): string[] => (existsSync(cache) ? readdirSync(cache).filter((name) => !name.startsWith("memo-")) : []);

describe("the event loop", () => {
  test("turns while many members are made, of an archive that is in memory as a whole", async () => {
    const bytes = many(FILES);
    const { gap, took } = await watched(() => place.unpackOf(stream(bytes, bytes.length)));
    expect(took).toBeGreaterThan(GAP); // the control: in one go it would have waited so long
    expect(gap).toBeLessThan(GAP);
  }, 60_000);

  test("turns while an archive is read, hashed, unpacked and written to disk; and while a part of it is removed", async () => {
    const path = archive();
    const whole = await watched(() => cachedTar(path));
    expect(whole.took).toBeGreaterThan(GAP);
    expect(whole.gap).toBeLessThan(GAP);
    const maxEntries = FILES - 100;
    const part = await watched(() => failure(cachedTar(path, undefined, undefined, { maxEntries })));
    expect(part.gap).toBeLessThan(GAP);
  }, 60_000);
});

describe("an AbortSignal", () => {
  for (const ms of [0, 20, 100, 300]) {
    test(`after ${ms} ms ends it at once, and nothing is left`, async () => {
      const path = archive();
      const abort = new AbortController();
      let fired = 0;
      setTimeout(() => {
        fired = performance.now();
        abort.abort(new Error("no longer wanted"));
      }, ms);
      expect(await failure(cachedTar(path, undefined, undefined, {}, abort.signal))).toBe(abort.signal.reason);
      expect(performance.now() - fired).toBeLessThan(1000);
      expect(left()).toEqual([]);
    }, 60_000);
  }

  test("of one caller is not another's: who waits for the same root builds it then", async () => {
    const path = archive(3000);
    const abort = new AbortController();
    const first = failure(cachedTar(path, undefined, undefined, {}, abort.signal));
    while (left().every((name) => !name.startsWith("tmp-"))) await new Promise((turn) => setImmediate(turn));
    const second = cachedTar(path);
    setTimeout(() => abort.abort(), 5);
    expect(await first).toMatchObject({ name: "AbortError" });
    const { dir } = await second;
    expect([...new Bun.Glob("**/f*").scanSync({ cwd: dir, onlyFiles: true })]).toHaveLength(2970);
  }, 60_000);

  test("ends the wait for a builder in another process", async () => {
    mkdirSync(cache, { mode: 0o700 });
    const holder = openSync(join(cache, "lock-tree"), "w", 0o600);
    expect(sys("flock", holder, 2 | 4)).toBe(0); // LOCK_EX|LOCK_NB
    const signal = AbortSignal.timeout(50);
    const built = buildOnce(cache, "tree", async () => {}, { signal });
    expect(await failure(Promise.race([built, Bun.sleep(2000)]))).toBe(signal.reason);
    closeSync(holder);
    expect(left()).toEqual(["lock-tree"]); // ours
  });

  test("ends the wait for another builder, who goes on", async () => {
    const path = archive(3000);
    const first = cachedTar(path);
    while (left().every((name) => !name.startsWith("tmp-"))) await new Promise((turn) => setImmediate(turn));
    expect(await failure(cachedTar(path, undefined, undefined, {}, AbortSignal.timeout(1)))).toMatchObject({
      name: "TimeoutError",
    });
    expect(left().some((name) => name.startsWith("tmp-"))).toBe(true);
    expect((await first).fromCache).toBe(false);
  }, 60_000);
});
