/** /etc/subuid, /etc/passwd and /proc/self/uid_map as text; ranges as sets. */
import { expect, test } from "bun:test";
import { describe, intersect, merge, type Range, without } from "../../src/ids/range.ts";
import { grantedRanges, passwdEntry, presentRanges } from "../../src/ids/subid.ts";
import { random } from "./random.ts";

const SUBUID = `# granted by hand
bob:100000:65536
alice:231072:65536

 alice:165536:65536
1000:400000:10
10001:1:1
alice:x:10
alice:5
alice:7:8:9
alice:-5:10
alice:500000:0
`;

test("by name and by number, several lines, what touches becomes one; comments and nonsense are passed over", () => {
  expect(describe(grantedRanges(SUBUID, "alice", 1000))).toBe("165536-296607, 400000-400009");
  expect(describe(grantedRanges(SUBUID, "bob", 1001))).toBe("100000-165535");
  expect(describe(grantedRanges(SUBUID, undefined, 10001))).toBe("1");
  expect(grantedRanges(SUBUID, "carol", 3)).toEqual([]);
  expect(grantedRanges("", "alice", 1000)).toEqual([]);
  expect(describe(grantedRanges("a:4294967000:9999999999", "a", 1))).toBe("4294967000-4294967294");
});

test("a user's line of passwd", () => {
  const passwd = "root:x:0:0:root:/root:/bin/sh\nbad\nalice:x:1000:1001::/:\n";
  expect(passwdEntry(passwd, 1000)).toEqual({ name: "alice", gid: 1001 });
  expect(passwdEntry(passwd, 7)).toBeUndefined();
});

test("the ids of a user namespace", () => {
  expect(describe(presentRanges("         0       1000          1\n         1     100000      65536\n"))).toBe("0-65536");
  expect(describe(presentRanges("         0          0 4294967295\n"))).toBe("0-4294967294");
  expect(presentRanges("")).toEqual([]);
});

const SPACE = 60;
const members = (ranges: readonly Range[]) =>
  Array.from({ length: SPACE * 2 }, (_, id) => ranges.some((r) => r.first <= id && id < r.first + r.size));

test("500 random pairs of lists: merge, intersect and without are what they are for sets", () => {
  for (let seed = 1; seed <= 500; seed++) {
    const next = random(seed);
    const list = () => Array.from({ length: next(6) }, () => ({ first: next(SPACE), size: next(SPACE / 3) }));
    const [a, b, id] = [list(), list(), next(SPACE)];
    const [ma, mb] = [merge(a), merge(b)];
    expect(members(ma)).toEqual(members(a));
    expect(ma.every((r, i) => r.size > 0 && (i === 0 || ma[i - 1]!.first + ma[i - 1]!.size < r.first))).toBe(true);
    const inB = members(b);
    expect(members(intersect(ma, mb))).toEqual(members(a).map((is, i) => is && inB[i]!));
    expect(members(without(ma, id))).toEqual(members(a).map((is, i) => is && i !== id));
  }
});
