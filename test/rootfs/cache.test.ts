/** The cache of unpacked archives: one at a time, whole or not at all. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cacheDir, cachedTar } from "../../src/rootfs/cache.ts";
import { cachePath } from "../../src/rootfs/cache-dir.ts";
import { Place, tar } from "./tar-writer.ts";

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

const archive = (name: string, files: number): string => {
  const path = join(place.target, name);
  writeFileSync(path, tar(...Array.from({ length: files }, (_, i) => ({ name: `d${i % 10}/f${i}`, data: `content ${i}` }))));
  return path;
};
const child = (file: string) =>
  Bun.spawn([process.execPath, join(import.meta.dir, "unpacker.ts"), "tar", file], {
    env: { ...process.env, NSRUN_CACHE: cache },
    stdout: "pipe",
    stderr: "pipe",
  });
const unfinished = (): string[] => (existsSync(cache) ? names("tmp-") : []);
const names = (prefix: string): string[] => readdirSync(cache).filter((name) => name.startsWith(prefix));

describe("the directory", () => {
  test("is made with mode 0700", () => {
    expect(cacheDir()).toBe(cache);
    expect(statSync(cache).mode & 0o7777).toBe(0o700);
  });

  test("must be ours alone, and a directory", () => {
    mkdirSync(cache);
    chmodSync(cache, 0o770);
    expect(() => cacheDir()).toThrow(`cache directory ${cache} can be written by others (mode 770)`);
    process.env.NSRUN_CACHE = archive("file", 1);
    expect(() => cacheDir()).toThrow("is not a directory");
    process.env.NSRUN_CACHE = "/proc/nsrun/cache";
    expect(() => cacheDir()).toThrow("cannot make the cache directory /proc/nsrun/cache: ENOENT");
  });

  test("is where the environment says", () => {
    expect(cachePath({ NSRUN_CACHE: "/a" })).toBe("/a");
    if (process.geteuid?.() === 0) expect(cachePath({ XDG_CACHE_HOME: "/x", HOME: "/h" })).toBe("/var/cache/nsrun");
    else expect(cachePath({ XDG_CACHE_HOME: "relative", HOME: "/h" })).toBe("/h/.cache/nsrun");
  });
});

describe("cachedTar", () => {
  test("unpacks once; the same content under another name is the same root", async () => {
    const first = await cachedTar(archive("a.tar", 20));
    expect(first.fromCache).toBe(false);
    expect(readFileSync(join(first.dir, "d3/f13"), "utf8")).toBe("content 13");
    expect(await cachedTar(archive("b.tar", 20))).toEqual({ dir: first.dir, fromCache: true });
    expect((await cachedTar(archive("b.tar", 21))).dir).not.toBe(first.dir);
    expect(names("rootfs-")).toHaveLength(2);
    expect([...names("tmp-"), ...names("lock-")]).toEqual([]);
  });

  test("a file that did not change is not read again; one that did is", async () => {
    const path = archive("a.tar", 3);
    // the "racy" rule: only what was not changed just now is noted. ctime cannot be set, so the clock is.
    const now = Date.now;
    Date.now = () => now() + 60_000;
    try {
      const { dir } = await cachedTar(path);
      expect(names("memo-")).toHaveLength(1);
      const memo = join(cache, names("memo-")[0] ?? "");
      const text = readFileSync(memo, "utf8");
      writeFileSync(memo, text.replace(/[0-9a-f]{64}/, "0".repeat(64)));
      await expect(cachedTar(path)).rejects.toThrow("changed while it was read"); // so the note was believed
      writeFileSync(memo, text.replace(/[0-9a-f]{64}/, "0".repeat(64)));
      utimesSync(path, 1, 1);
      expect(await cachedTar(path)).toEqual({ dir, fromCache: true });
    } finally {
      Date.now = now;
    }
  });

  test("eight callers in this process and four others: one unpacks", async () => {
    const path = archive("a.tar", 500);
    const others = Array.from({ length: 4 }, () => child(path));
    const own = await Promise.all(Array.from({ length: 8 }, () => cachedTar(path)));
    const theirs = await Promise.all(others.map(async (one) => JSON.parse(await new Response(one.stdout).text())));
    const dirs = new Set([...own, ...theirs].map((built) => built.dir));
    expect(dirs.size).toBe(1);
    expect(theirs.filter((built) => !built.fromCache).length + (own.some((built) => !built.fromCache) ? 1 : 0)).toBe(1);
    expect([...names("tmp-"), ...names("lock-")]).toEqual([]);
  });

  test("a damaged archive leaves nothing that could be used", async () => {
    const path = archive("a.tar", 20);
    writeFileSync(path, readFileSync(path).subarray(0, 5000));
    await expect(cachedTar(path)).rejects.toThrow(/a\.tar: truncated archive \(entry d4\/f4\)/);
    await cachedTar(path).catch(() => undefined);
    expect(readdirSync(cache)).toEqual([]);
  });

  test("limits hold whatever is in the cache already", async () => {
    const path = archive("a.tar", 20);
    const { dir } = await cachedTar(path);
    await expect(cachedTar(path, undefined, undefined, { maxEntries: 9 })).rejects.toThrow("more than 9 entries");
    expect(await cachedTar(path)).toEqual({ dir, fromCache: true });
  });

  test("what is no file", async () => {
    await expect(cachedTar(join(place.target, "none"))).rejects.toThrow("none: ENOENT (no such file or directory)");
    await expect(cachedTar(place.canary)).rejects.toThrow("canary: not a regular file");
  });

  test("killed at any instant: what has a name is whole, the rest is swept", async () => {
    const count = 1500;
    const path = archive("a.tar", count);
    let killed = 0;
    for (let round = 0; round < 7; round++) {
      const one = child(path);
      // at another depth of the work each time: when so many entries are there
      const enough = (round * count) / 6;
      while (
        one.exitCode === null &&
        !existsSync(join(cache, unfinished()[0] ?? "none", `d9/f${Math.floor(enough / 10) * 10 + 9}`))
      ) {
        if (unfinished().length > 0 && round === 0) break;
        await new Promise((turn) => setTimeout(turn, 1));
      }
      one.kill("SIGKILL");
      await one.exited;
      if (one.signalCode === "SIGKILL") killed++;
      for (const name of existsSync(cache) ? names("rootfs-") : []) {
        expect([...new Bun.Glob("**/f*").scanSync({ cwd: join(cache, name) })]).toHaveLength(count);
      }
      if (existsSync(cache) && names("rootfs-").length > 0) break;
    }
    expect(killed).toBeGreaterThan(0);
    const { dir } = await cachedTar(path);
    expect([...new Bun.Glob("**/f*").scanSync({ cwd: dir })]).toHaveLength(count);
    expect(names("lock-")).toEqual([]);
    await cachedTar(archive("b.tar", 2)); // sweeps also where the killed one's root was whole
    expect(names("tmp-")).toEqual([]);
  }, 60_000);
});
