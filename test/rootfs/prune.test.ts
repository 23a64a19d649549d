/** What is removed from the cache, and what never is: a tree that a living process uses. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, statSync, unlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cacheEntries, prune } from "../../src/rootfs/prune.ts";
import { diskUsage } from "../../src/rootfs/usage.ts";
import { Place, tar } from "./tar-writer.ts";

const DAY = 86_400_000;
let place: Place;
let cache: string;
beforeEach(() => {
  place = new Place();
  cache = join(place.target, "cache");
});
afterEach(() => place[Symbol.dispose]());

function archive(name: string, files: number): string {
  const path = join(place.target, name);
  writeFileSync(path, tar(...Array.from({ length: files }, (_, i) => ({ name: `d${i % 10}/f${i}`, data: `content ${i}` }))));
  return path;
}

/** A process of its own that uses the tree of `file`. */
const user = (what: string, file: string) =>
  Bun.spawn([process.execPath, join(import.meta.dir, "unpacker.ts"), what, file], {
    env: { ...process.env, NSRUN_CACHE: cache },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
  });

/** Unpacks `file` and ends; the tree's name. */
async function unpacked(file: string): Promise<string> {
  const child = user("tar", file);
  const { dir } = JSON.parse(await child.stdout.text());
  await child.exited;
  return dir.slice(cache.length + 1);
}

const age = (name: string, days: number): void => {
  const then = new Date(Date.now() - days * DAY);
  utimesSync(join(cache, `use-${name}`), then, then);
};

test("the records of what is in use stay", () => {
  mkdirSync(cache, { mode: 0o700 });
  for (const name of ["ids", "networks"]) writeFileSync(join(cache, name), "");
  expect([cacheEntries(cache), prune(cache)]).toEqual([[], []]);
  expect(readdirSync(cache).sort()).toEqual(["ids", "networks"]);
});

test("a tree that a process uses stays, whatever its age; after a kill -9 it goes, with its mark", async () => {
  const child = user("hold", archive("a.tar", 5));
  const { value } = await child.stdout.getReader().read();
  const name = JSON.parse(Buffer.from(value ?? []).toString()).dir.slice(cache.length + 1);
  age(name, 1000);
  expect(cacheEntries(cache)).toMatchObject([{ name, kind: "archive", inUse: true }]);
  expect(prune(cache)).toEqual([]);
  expect(existsSync(join(cache, name, "d4/f4"))).toBe(true);
  child.kill("SIGKILL");
  await child.exited;
  expect(cacheEntries(cache)).toMatchObject([{ inUse: false }]);
  expect(prune(cache).map((entry) => entry.name)).toEqual([name]);
  expect(readdirSync(cache).filter((left) => !left.startsWith("memo-"))).toEqual([]);
});

test("by the time of the last use, which a start renews", async () => {
  const [old, young] = [archive("old.tar", 2), archive("young.tar", 3)];
  const [first, second] = [await unpacked(old), await unpacked(young)];
  age(first, 10);
  age(second, 2);
  expect(cacheEntries(cache).map((entry) => entry.name)).toEqual([first, second]);
  expect(prune(cache, { olderThan: 11 * DAY })).toEqual([]);
  expect(await unpacked(old)).toBe(first);
  expect(Date.now() - statSync(join(cache, `use-${first}`)).mtimeMs).toBeLessThan(DAY);
  expect(prune(cache, { olderThan: DAY }).map((entry) => entry.name)).toEqual([second]);
});

test("a tree of a version without marks counts from when it was made", async () => {
  const name = await unpacked(archive("a.tar", 2));
  unlinkSync(join(cache, `use-${name}`));
  expect(prune(cache, { olderThan: DAY })).toEqual([]);
  expect(prune(cache).map((entry) => entry.name)).toEqual([name]);
});

test("only one kind; nothing else of the cache is touched", async () => {
  const name = await unpacked(archive("a.tar", 2));
  mkdirSync(join(cache, "busybox-root-1-2-3"));
  writeFileSync(join(cache, "busybox-x86_64"), "");
  expect(prune(cache, { kind: "busybox" }).map((entry) => entry.name)).toEqual(["busybox-root-1-2-3"]);
  expect(readdirSync(cache).sort()).toEqual(["busybox-x86_64", name, `use-${name}`].sort());
});

test("starts and removals at once: whoever starts has a whole tree", async () => {
  const count = 200;
  const file = archive("a.tar", count);
  let removed = 0;
  let running = true;
  await unpacked(file);
  const removals = (async () => {
    while (running) {
      removed += prune(cache).length;
      await new Promise((turn) => setTimeout(turn, 1));
    }
  })();
  try {
    for (let round = 0; round < 8; round++) {
      const children = [user("look", file), user("look", file)];
      const seen = await Promise.all(children.map(async (child) => `${await child.stdout.text()}${await child.stderr.text()}`));
      expect(seen).toEqual([`${count}\n`, `${count}\n`]);
    }
  } finally {
    running = false;
    await removals;
  }
  expect(removed).toBeGreaterThan(2);
}, 60_000);

test("what a tree occupies, as du says", async () => {
  const name = await unpacked(archive("a.tar", 700));
  const du = Bun.spawnSync(["du", "-s", "--block-size=1", "."], { cwd: join(cache, name) }).stdout.toString();
  const own = statSync(join(cache, name)).blocks * 512; // du counts the directory itself
  expect((diskUsage(join(cache, name)) ?? 0) + own).toBe(Number.parseInt(du, 10));
});
