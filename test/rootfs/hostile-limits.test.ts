/** What is too much: each limit refuses, and one that is wide enough does not. */
import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import type { UnpackOptions } from "../../src/rootfs/unpack.ts";
import { type Member, member, Place, pax, tar } from "./tar-writer.ts";

/** What, the archive, a limit that it breaks, the words, the same limit so that it does not. */
const limits: [string, (Member | Buffer)[], UnpackOptions, string, UnpackOptions][] = [
  ["entries", [{ name: "a" }, { name: "b" }], { maxEntries: 1 }, "more than 1 entries (entry b)", { maxEntries: 2 }],
  [
    "directories that no entry speaks of",
    [{ name: "a/b/c/d" }],
    { maxEntries: 3 },
    "more than 3 entries (entry a/b/c/d)",
    { maxEntries: 4 },
  ],
  ["bytes", [{ name: "a", data: "xyz" }], { maxBytes: 2 }, "more than 2 bytes (entry a)", { maxBytes: 3 }],
  [
    "bytes in pieces",
    [
      { name: "a", data: "xyz" },
      { name: "b", data: "xyz" },
    ],
    { maxBytes: 5 },
    "more than 5 bytes (entry b)",
    { maxBytes: 6 },
  ],
  ["bytes of a fifo's body", [{ name: "a", type: "6", data: "xyz" }], { maxBytes: 2 }, "more than 2 bytes", { maxBytes: 3 }],
  ["depth", [pax({ path: "d/".repeat(129) }), { name: "x", type: "5" }], {}, "129 levels deep (limit 128)", { maxDepth: 129 }],
  [
    "path length",
    [pax({ path: `${"./".repeat(2100)}f` }), { name: "x" }],
    {},
    "name of 4201 bytes (limit 4096)",
    { maxPath: 5000 },
  ],
  [
    "the path of a hard link's target",
    [{ name: "f" }, pax({ linkpath: `${"./".repeat(2100)}f` }), { name: "x", type: "1" }],
    {},
    "hard link target: name of 4201 bytes (limit 4096)",
    { maxPath: 5000 },
  ],
];

describe("tar: a limit on", () => {
  for (const [what, parts, options, words, wider] of limits) {
    const unpack = async (given: UnpackOptions): Promise<string> => {
      using place = new Place();
      return await place.refusal(tar(...parts), given);
    };
    test(what, async () => expect(await unpack(options)).toContain(words));
    test(`control: ${what}`, async () => expect(await unpack(wider)).toBe("unpacked"));
  }

  test("bytes counts what a header claims, before any of it is here", async () => {
    using place = new Place();
    expect(await place.refusal(member({ name: "a", size: 2 ** 40, base256: true }))).toContain("bytes (entry a)");
    expect(readdirSync(place.target)).toEqual([]);
  });
});

test.each(["zeros behind the end", "extended headers"])(
  "tar: a limit on %s: they do not count as contents, but are not endless",
  async (what) => {
    using place = new Place();
    const zeros = what.startsWith("zeros");
    const endless = async function* (): AsyncGenerator<Uint8Array> {
      yield tar({ name: "a", data: "x" }).subarray(0, zeros ? undefined : 1024);
      for (;;) yield zeros ? Buffer.alloc(1 << 20) : pax({ path: "x".repeat(1 << 19) });
    };
    expect(await place.refusalOf(endless(), { maxBytes: 1 })).toContain(
      "more than 67108865 bytes of headers and padding (entry ",
    );
  },
);
