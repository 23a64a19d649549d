/** Files with holes: bombs of nothing, and maps that two readers would read differently. */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Member, member, octal, Place, pax, tar } from "./tar-writer.ts";
import { anyName, failsWithout, type Weaker } from "./weaken.ts";

const sparseNumber = (value: number): string => octal(value, 12);

/** A member of GNU tar's old format; `more`: the header says that blocks of the map follow. */
function old(segments: [number, number][], realSize: number, data: string, more = false): Buffer {
  const map = segments.map(([offset, size]) => sparseNumber(offset) + sparseNumber(size)).join("");
  const patch = [
    [257, "ustar  \0"],
    [386, map],
    [482, more ? "\x01" : "\0"],
    [483, sparseNumber(realSize)],
  ] as const;
  return member({ name: "s", type: "S", data, patch });
}

/** A member of pax 1.0: its map stands before its data. */
function modern(segments: [number, number][], realSize: number, data: string): [Buffer, Member] {
  const map = `${[segments.length, ...segments.flat()].join("\n")}\n`;
  const padded = map.padEnd(Math.ceil(map.length / 512) * 512, "\0");
  const records = {
    "GNU.sparse.major": "1",
    "GNU.sparse.minor": "0",
    "GNU.sparse.name": "s",
    "GNU.sparse.realsize": String(realSize),
  };
  return [pax(records), { name: "GNUSparseFile.0/s", data: padded + data }];
}

const HUGE = 2 ** 35;

const refused: [string, (Member | Buffer)[], string, Weaker?][] = [
  ["a bomb of holes, old format", [old([], HUGE, "")], "more than 17179869184 bytes (entry s)"],
  ["a bomb of holes, pax", modern([], HUGE, ""), "more than 17179869184 bytes (entry s)"],
  [
    "a bomb of holes, pax 0.1",
    [pax({ "GNU.sparse.map": "0,0", "GNU.sparse.size": String(HUGE) }), { name: "s" }],
    "more than 17179869184 bytes",
  ],
  [
    "a map that goes back",
    modern(
      [
        [512, 1],
        [0, 1],
      ],
      1024,
      "ab",
    ),
    "sparse map out of order",
  ],
  [
    "a map that overlaps itself",
    [
      old(
        [
          [0, 5],
          [4, 5],
        ],
        1024,
        "0123456789",
      ),
    ],
    "sparse map out of order",
  ],
  ["a map beyond the end", [old([[1000, 5]], 1002, "01234")], "sparse map beyond the end of the file"],
  ["a map of more than the body", modern([[0, 600]], 1024, "short"), "sparse map of 600 bytes for 5"],
  ["a map of less than the body", [old([[0, 2]], 1024, "0123")], "sparse map of 2 bytes for 4"],
  [
    "a map that is no numbers",
    [pax({ "GNU.sparse.major": "1", "GNU.sparse.realsize": "9" }), { name: "s", data: "one\n".padEnd(512, "\0") }],
    "malformed sparse map",
  ],
  ["half a pair", [pax({ "GNU.sparse.map": "0", "GNU.sparse.size": "9" }), { name: "s" }], "malformed sparse map"],
  [
    "a map of millions",
    [pax({ "GNU.sparse.major": "1", "GNU.sparse.realsize": "9" }), { name: "s", data: "9000000\n".padEnd(2 << 20, "1\n") }],
    "sparse map of more than 1048576 bytes",
    { extension: 2 ** 31 },
  ],
  [
    "a format of the future",
    [pax({ "GNU.sparse.major": "2", "GNU.sparse.realsize": "9" }), { name: "s" }],
    "sparse format 2.0 is not supported",
  ],
  ["no size", [pax({ "GNU.sparse.map": "0,1" }), { name: "s", data: "x" }], "a sparse file without its size"],
  [
    "a name with .. in the sparse records",
    [
      pax({ "GNU.sparse.name": "../canary/file", "GNU.sparse.major": "1", "GNU.sparse.realsize": "0" }),
      { name: "s", data: "0\n".padEnd(512, "\0") },
    ],
    "'..' in the name (entry ../canary/file)",
    { split: anyName },
  ],
  [
    "NUL in a name in the sparse records",
    [pax({ "GNU.sparse.name": "a\0b" }), { name: "s" }],
    "NUL in pax GNU.sparse.name",
    { nul: () => false, split: anyName },
  ],
];

describe("tar: is refused", () => {
  for (const [what, parts, words, weaker] of refused) {
    const attack = async (): Promise<void> => {
      using place = new Place();
      expect(await place.refusal(tar(...parts))).toContain(words);
      expect(readdirSync(place.target)).toEqual([]);
    };
    test(what, attack);
    if (weaker) test(`control: ${what}`, () => failsWithout(weaker, attack, /Received|outside the target/));
  }

  test("control: the bombs are refused by their size alone", async () => {
    for (const parts of [[old([], HUGE, "")], modern([], HUGE, "")]) {
      using place = new Place();
      expect(await place.refusal(tar(...parts), { maxBytes: 2 * HUGE })).toBe("unpacked");
      expect(statSync(join(place.target, "s"))).toMatchObject({ size: HUGE, blocks: 0 });
    }
  });

  test("a map without end, old format", async () => {
    using place = new Place();
    const block = Buffer.from(
      (sparseNumber(1) + sparseNumber(0)).repeat(21).padEnd(504, "\0") + "\x01".padEnd(8, "\0"),
      "latin1",
    );
    const endless = async function* (): AsyncGenerator<Uint8Array> {
      yield old([], 9, "", true);
      for (;;) yield Buffer.concat(Array.from({ length: 64 }, () => block));
    };
    expect(await place.refusalOf(endless())).toContain("sparse map of more than");
  });
});

test("holes are holes, data is where it belongs, in each format", async () => {
  const segments: [number, number][] = [
    [0, 1],
    [100_000, 3],
    [1_000_000, 0],
  ];
  const formats = [
    [old(segments, 2 ** 20, "abcd")],
    modern(segments, 2 ** 20, "abcd"),
    [pax({ "GNU.sparse.map": segments.join(), "GNU.sparse.size": String(2 ** 20) }), { name: "s", data: "abcd" }],
  ];
  for (const parts of formats) {
    using place = new Place();
    await place.unpack(tar(...parts, { name: "after", data: "x" }));
    const content = readFileSync(join(place.target, "s"));
    expect([content.length, content[0], content.toString("latin1", 100_000, 100_003)]).toEqual([2 ** 20, 97, "bcd"]);
    expect(content.reduce((sum, byte) => sum + byte, 0)).toBe(97 + 98 + 99 + 100);
    expect(statSync(join(place.target, "s")).blocks).toBeLessThan(100);
    expect(readFileSync(join(place.target, "after"), "utf8")).toBe("x");
  }
});
