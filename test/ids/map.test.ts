/** Id maps: what is refused, and properties over hundreds of random maps. */
import { describe, expect, test } from "bun:test";
import { contains, isSingle, MAX_LINES, parseMap, rootlessMap, toContainer, toHost, total } from "../../src/ids/map.ts";
import { MAX_ID, merge, within } from "../../src/ids/range.ts";
import type { IdMap } from "../../src/plan/spec.ts";
import { random } from "./random.ts";

const parse = (...texts: string[]) => parseMap(texts, "--uid-map");

test("CONTAINER:HOST[:SIZE]", () => {
  expect(parse("0:1000", "1:100000:65536")).toEqual([
    { containerId: 0, hostId: 1000, size: 1 },
    { containerId: 1, hostId: 100000, size: 65536 },
  ]);
  expect(total(parse("0:0:4294967295"))).toBe(4294967295);
});

describe("refused", () => {
  const REFUSED: [string[], string][] = [
    [["x"], "expected CONTAINER:HOST[:SIZE]"],
    [["0"], "expected CONTAINER:HOST[:SIZE]"],
    [["0:0:1:1"], "expected CONTAINER:HOST[:SIZE]"],
    [["0::1"], "expected CONTAINER:HOST[:SIZE]"],
    [["0:0:"], "expected CONTAINER:HOST[:SIZE]"],
    [["0:-1"], "expected CONTAINER:HOST[:SIZE]"],
    [["0:0x10"], "expected CONTAINER:HOST[:SIZE]"],
    [["0:1 "], "expected CONTAINER:HOST[:SIZE]"],
    [["0:1e3"], "expected CONTAINER:HOST[:SIZE]"],
    [["0:9999999999999999"], "expected CONTAINER:HOST[:SIZE]"],
    [["0:0:0"], "a range of no ids"],
    [["0:4294967295"], "beyond the last id"],
    [["4294967295:0"], "beyond the last id"],
    [["0:0:4294967296"], "beyond the last id"],
    [["0:4294967294:2"], "beyond the last id"],
    [["0:10:5", "4:20"], "--uid-map 0:10:5 and 4:20:1 overlap in their container ids"],
    [["0:10:5", "5:14"], "--uid-map 0:10:5 and 5:14:1 overlap in their host ids"],
    [["1:1000"], "container id 0 is not mapped"],
    [Array.from({ length: 341 }, (_, i) => `${i}:${i}`), "341 lines (the kernel takes 340)"],
    [Array.from({ length: 300 }, (_, i) => `${i}:${i + 100000000}`), "bytes of map (the kernel takes 4095)"],
  ];
  for (const [texts, why] of REFUSED)
    test(`${texts.slice(0, 2).join(" ")}: ${why}`, () => expect(() => parse(...texts)).toThrow(why));
});

/** Up to 12 disjoint lines, the first at container id 0; the two columns in different orders. */
function randomMap(seed: number): IdMap[] {
  const next = random(seed);
  const sizes = Array.from({ length: 1 + next(12) }, () => 1 + next(next(2) ? 3 : 70000));
  let [inside, outside] = [0, next(100000)];
  const hosts = sizes.map((size) => {
    const first = outside + next(1000);
    outside = first + size;
    return { first, size };
  });
  if (next(2)) hosts.reverse();
  return hosts.map(({ first, size }) => {
    const map = { containerId: inside, hostId: first, size };
    inside += size + next(2) * next(50);
    return map;
  });
}

test("400 random maps: there and back, nothing twice, the total is kept, the text comes back", () => {
  for (let seed = 1; seed <= 400; seed++) {
    const maps = randomMap(seed);
    expect({ seed, maps: parse(...maps.map((m) => `${m.containerId}:${m.hostId}:${m.size}`)) }).toEqual({ seed, maps });
    const next = random(seed + 1000);
    for (const { containerId, hostId, size } of maps) {
      const at = next(size);
      expect([toHost(maps, containerId + at), toContainer(maps, hostId + at)]).toEqual([hostId + at, containerId + at]);
    }
    for (const id of [maps.at(-1)!.containerId + maps.at(-1)!.size, MAX_ID])
      expect([contains(maps, id), toHost(maps, id)]).toEqual([false, undefined]);
    const hosts = merge(maps.map((m) => ({ first: m.hostId, size: m.size })));
    expect(hosts.reduce((sum, range) => sum + range.size, 0)).toBe(total(maps));
    for (const map of maps) expect(within({ first: map.hostId, size: map.size }, hosts)).toBe(true);
  }
});

test("400 random maps with one line moved into another are refused", () => {
  for (let seed = 1; seed <= 400; seed++) {
    const next = random(seed);
    const maps = randomMap(seed);
    const victim = maps[next(maps.length)]!;
    const at = next(victim.size);
    const beyond = 3_000_000_000;
    const line = next(2) ? `${victim.containerId + at}:${beyond}` : `${beyond}:${victim.hostId + at}`;
    expect(() => parse(...maps.map((m) => `${m.containerId}:${m.hostId}:${m.size}`), line)).toThrow(/overlap/);
  }
});

test("300 random grants: root inside is the own id, every granted id comes once, in order from 1, and the kernel would take it", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const next = random(seed);
    const granted = merge(Array.from({ length: next(8) }, () => ({ first: next(200000), size: next(65537) })));
    const own = next(2) && granted[0] ? granted[0].first + next(granted[0].size) : next(300000);
    const maps = rootlessMap(own, granted);
    expect(maps[0]).toEqual({ containerId: 0, hostId: own, size: 1 });
    parse(...maps.map((m) => `${m.containerId}:${m.hostId}:${m.size}`));
    const ids = granted.reduce((sum, range) => sum + range.size, 0);
    expect(total(maps)).toBe(ids + (within({ first: own, size: 1 }, granted) ? 0 : 1));
    expect(maps.every((map, i) => i === 0 || map.containerId === maps[i - 1]!.containerId + maps[i - 1]!.size)).toBe(true);
  }
});

test("a thousand grants become as many lines as the kernel takes", () => {
  const maps = rootlessMap(
    1000,
    Array.from({ length: 1000 }, (_, i) => ({ first: 100000 + 10 * i, size: 5 })),
  );
  expect(maps.length).toBeLessThanOrEqual(MAX_LINES);
  expect(maps.length).toBeGreaterThan(200);
  parse(...maps.map((m) => `${m.containerId}:${m.hostId}:${m.size}`));
});

test("everything there is: the last id is not mapped a second time", () => {
  expect(total(rootlessMap(0, [{ first: 1, size: MAX_ID }]))).toBe(MAX_ID + 1);
  expect(total(rootlessMap(5, [{ first: 0, size: MAX_ID + 1 }]))).toBe(MAX_ID + 1);
});

test("the map that anybody may write", () => {
  expect([isSingle(parse("0:1000"), 1000), isSingle(parse("0:1000"), 1001), isSingle(parse("0:1000:2"), 1000)]).toEqual([
    true,
    false,
    false,
  ]);
});
