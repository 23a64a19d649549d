/** Archives that lie about themselves: two readings of one stream, headers without end, what is too much. */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { END, type Member, member, Place, pax, tar } from "./tar-writer.ts";
import { anyName, failsWithout, type Weaker } from "./weaken.ts";

const DONE = /"unpacked"/;
const WORDS = /Received/;
const never = (): boolean => false;
const always = (): boolean => true;

/** What, the archive, the words of the refusal, the guard if it can be taken away, what its test fails with then. */
const refused: [string, (Member | Buffer)[], string, Weaker?, RegExp?][] = [
  ["NUL in a pax path", [pax({ path: "a\0/../b" }), { name: "ok" }], "NUL in pax path", { nul: never, split: anyName }, DONE],
  ["NUL in a pax link", [pax({ linkpath: "a\0b" }), { name: "ok", type: "2" }], "NUL in pax linkpath", { nul: never }, DONE],
  [
    "NUL in a GNU long name",
    [{ name: "l", type: "L", data: "a\0b\0" }, { name: "ok" }],
    "NUL in a long name",
    { nul: never, split: anyName },
    DONE,
  ],
  ["a pax header without end", [member({ name: "p", type: "x", data: "99 path=x\n" }), { name: "ok" }], "malformed pax header"],
  [
    "a huge pax header",
    [member({ name: "p", type: "x", size: 2 ** 30 }), { name: "ok" }],
    "extended header of 1073741824 bytes (limit 1048576)",
    { extension: 2 ** 31 },
    WORDS, // truncated, after a gigabyte was asked for
  ],
  [
    "a huge GNU long name",
    [member({ name: "p", type: "L", size: 2 ** 30 }), { name: "ok" }],
    "extended header of 1073741824 bytes (limit 1048576)",
    { extension: 2 ** 31 },
    WORDS,
  ],
  [
    "a member with thousands of attributes",
    [pax(Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [`SCHILY.xattr.user.${i}`, ""]))), { name: "ok" }],
    "more than 1000 extended attributes",
  ],
  ["an empty name", [{ name: "" }], "empty name (entry )"],
  [
    "a hard link to itself",
    [
      { name: "h", data: "x" },
      { name: "h", type: "1", link: "./h" },
    ],
    "hard link to itself (entry h)",
  ],
  ["a file as the root", [{ name: "./", type: "6" }], "the root itself can only be a directory (entry ./)"],
  [
    "a bad checksum at the start",
    [{ name: "a", badChecksum: true }],
    "not a tar archive (no tar header at its start)",
    { checksum: always },
    DONE,
  ],
  [
    "a bad checksum later",
    [{ name: "a" }, { name: "b", badChecksum: true }],
    "bad header checksum after (entry a)",
    { checksum: always },
    DONE,
  ],
  ["an unknown type", [{ name: "s", type: "Z" }], 'unknown entry type "Z" (entry s)'],
  [
    "a second archive behind the first",
    [{ name: "a" }, END, { name: "b" }],
    "data after the end of the archive (entry a)",
    { trailing: never },
    DONE,
  ],
  [
    "garbage behind the end",
    [{ name: "a" }, END, Buffer.from("garbage")],
    "data after the end of the archive (entry a)",
    { trailing: never },
    DONE,
  ],
  ["a header of an extension and then the end", [{ name: "a" }, pax({ path: "b" })], "truncated archive (entry a)"],
  ["an owner of -1", [{ name: "a", uid: 0xffffffff, base256: true }], "owner out of range (entry a)", { owner: always }, DONE],
  ["a size with a sign", [pax({ size: "-1" }), { name: "a" }], "pax size is no number (entry a)"],
  ["a size below zero", [{ name: "a", size: -512, base256: true }], "negative size"],
];

describe("tar: is refused", () => {
  for (const [what, parts, words, weaker, fails] of refused) {
    const attack = async (): Promise<void> => {
      using place = new Place();
      const message = await place.refusal(tar(...parts));
      expect(message).toContain(words);
      expect(message).toStartWith("UsageError: x.tar: ");
    };
    test(what, attack);
    if (weaker && fails) test(`control: ${what}`, () => failsWithout(weaker, attack, fails));
  }

  test("truncation at every 100th byte, naming the archive", async () => {
    using place = new Place();
    const whole = tar({ name: "a", data: "x".repeat(700) }, pax({ path: "b" }), { name: "short", data: "y" });
    for (let length = 0; length < whole.length - 1023; length += 100) {
      const message = await place.refusal(whole.subarray(0, length));
      expect(message).toMatch(/^UsageError: x\.tar: (truncated archive|not a tar archive \((empty|too short)\))/);
    }
  });
});

test("a pax size is the size: what it covers is no header (CVE-2025-62518)", async () => {
  using place = new Place();
  const inner = Uint8Array.from(tar({ name: "smuggled", data: "evil" }));
  await place.unpack(tar(pax({ size: String(inner.length) }), { name: "outer", size: 0, data: inner }, { name: "after" }));
  expect(readdirSync(place.target).sort()).toEqual(["after", "outer"]);
  expect(readFileSync(join(place.target, "outer")).equals(inner)).toBe(true);
});

test("a megabyte of global records before each of many members is neither kept nor copied", async () => {
  using place = new Place();
  const records = Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`comment.${i}`, "x".repeat(20)]));
  const header = pax(records, "g");
  const began = process.memoryUsage().rss;
  await place.unpack(
    tar(...Array.from({ length: 40 }, () => header), ...Array.from({ length: 500 }, (_, i) => ({ name: `f${i}` }))),
  );
  expect(readdirSync(place.target)).toHaveLength(500);
  expect(process.memoryUsage().rss - began).toBeLessThan(300 << 20);
});
