/** Properties of the id-map arithmetic, over cases made by a seeded generator: a failure names its seed. */
import { describe, expect, test } from "bun:test";
import { MAX_ID, parseMap, parseMaps, type Range, rootless, toContainer, toHost, within } from "../../src/ids/map.ts";
import { grantedTo } from "../../src/ids/subid.ts";
import type { IdMap } from "../../src/plan/spec.ts";

function generator(seed: number) {
  let state = seed;
  const below = (n: number): number => {
    state = (state * 1664525 + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  /** Ranges in random order that do not meet, from `from` on. */
  const ranges = (count: number, from = 0): Range[] => {
    let at = from;
    const list: Range[] = [];
    for (let i = 0; i < count; i++) {
      at += below(1000);
      const size = 1 + below(70000);
      list.push({ first: at, size });
      at += size;
    }
    return list.sort(() => below(3) - 1);
  };
  return { below, ranges };
}

const CASES = 500;
const each = (check: (g: ReturnType<typeof generator>, seed: number) => void) => {
  for (let seed = 1; seed <= CASES; seed++) {
    try {
      check(generator(seed), seed);
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
  }
};
const total = (list: readonly { size: number }[]) => list.reduce((sum, { size }) => sum + size, 0);
const text = ({ containerId, hostId, size }: IdMap) => `${containerId}:${hostId}:${size}`;

describe("a map", () => {
  test("leads there and back, and to nothing outside its ranges", () => {
    each(({ below, ranges }) => {
      const inside = ranges(1 + below(8));
      const outside = ranges(inside.length, 100000);
      const maps = inside.map(({ first, size }, i) => ({
        containerId: first,
        hostId: outside[i]!.first,
        size: Math.min(size, outside[i]!.size),
      }));
      expect(parseMaps(maps.map(text), "--uid-map")).toEqual(maps);
      for (let i = 0; i < 20; i++) {
        const map = maps[below(maps.length)]!;
        const id = map.containerId + below(map.size);
        const host = toHost(maps, id)!;
        expect(host).toBe(map.hostId + id - map.containerId);
        expect(toContainer(maps, host)).toBe(id);
      }
      const end = Math.max(...maps.map(({ containerId, size }) => containerId + size));
      expect(toHost(maps, end)).toBeUndefined();
    });
  });
  test("with a line that meets another in either column is refused", () => {
    each(({ below, ranges }) => {
      const list = ranges(2 + below(5)).map(({ first, size }) => ({ containerId: first, hostId: first + 200000, size }));
      const victim = list[below(list.length)]!;
      const bad =
        below(2) === 0
          ? { containerId: victim.containerId + below(victim.size), hostId: 90_000_000, size: 1 + below(9) }
          : { containerId: 90_000_000, hostId: victim.hostId + below(victim.size), size: 1 + below(9) };
      expect(() => parseMaps([...list, bad].map(text), "--uid-map")).toThrow("overlaps an earlier range");
    });
  });
  test("that is none is one line", () => {
    const bad = [
      "",
      "0",
      "0:0:0",
      "0:0:1:2",
      "-1:0",
      "0:-1",
      "a:0",
      "0:0x1",
      "01:0",
      " 0:0",
      "4294967295:0",
      "0:4294967295",
      "4294967294:0:2",
      "0:4294967290:10",
      "1e3:0",
    ];
    for (const one of bad) expect(() => parseMap(one, "--gid-map")).toThrow(`--gid-map ${one}: `);
    expect(parseMap("0:1000", "--uid-map")).toEqual({ containerId: 0, hostId: 1000, size: 1 });
    expect(parseMap(`0:0:${MAX_ID + 1}`, "--uid-map").size).toBe(MAX_ID + 1);
    expect(() =>
      parseMaps(
        Array.from({ length: 341 }, (_, i) => `${i}:${i}`),
        "--uid-map",
      ),
    ).toThrow("the kernel takes 340");
  });
});

describe("the rootless map", () => {
  test("is own id and then every granted id exactly once, without a gap inside", () => {
    each(({ below, ranges }) => {
      const granted = ranges(below(5), 1000);
      const inGrant = granted.length > 0 && below(3) === 0;
      const own = inGrant ? granted[0]!.first + below(granted[0]!.size) : below(900);
      const maps = rootless(own, granted);
      expect(toHost(maps, 0)).toBe(own);
      expect(total(maps)).toBe(total(granted) + (inGrant ? 0 : 1));
      expect(() => parseMaps(maps.map(text), "--uid-map")).not.toThrow();
      expect(toHost(maps, total(maps) - 1)).toBeDefined();
      expect(toHost(maps, total(maps))).toBeUndefined();
      expect(within(maps, [...granted, { first: own, size: 1 }])).toBe(true);
    });
  });
});

describe("what is granted", () => {
  test("holds a map exactly when it holds each of its ids", () => {
    each(({ below, ranges }) => {
      const granted = ranges(1 + below(5)).map(({ first, size }) => ({ first: first % 300, size: 1 + (size % 40) }));
      const maps = [{ containerId: 0, hostId: below(300), size: 1 + below(60) }];
      const ids = Array.from({ length: maps[0]!.size }, (_, i) => maps[0]!.hostId + i);
      const expected = ids.every((id) => granted.some(({ first, size }) => first <= id && id < first + size));
      expect(within(maps, granted)).toBe(expected);
    });
  });
  test("is read from subuid's lines by name and by number, overlapping ones once", () => {
    const file =
      "# comment\nalice:100000:65536\nbob:1:1\n1000:300000:10\nalice:100000\nalice:x:1\nalice:165000:1000\nalice:5:0\n";
    expect(grantedTo(file, { name: "alice", uid: 1000 })).toEqual([
      { first: 100000, size: 65536 },
      { first: 300000, size: 10 },
      { first: 165536, size: 464 },
    ]);
    expect(grantedTo(file, { name: undefined, uid: 7 })).toEqual([]);
    expect(grantedTo(":100000:5\n", { name: undefined, uid: 7 })).toEqual([]);
  });
  test("counts every id once, however the lines meet", () => {
    each(({ below }) => {
      const list = Array.from({ length: 1 + below(6) }, () => ({ first: below(100), size: 1 + below(50) }));
      const found = grantedTo(list.map(({ first, size }) => `u:${first}:${size}`).join("\n"), { name: "u", uid: 1 });
      const ids = new Set(list.flatMap(({ first, size }) => Array.from({ length: size }, (_, i) => first + i)));
      expect(total(found)).toBe(ids.size);
    });
  });
});
