/**
 * Archives that want out. `Place` checks after each that nothing beside the target changed. Every attack runs twice: as it is,
 * and with the guard that it is about taken away, when it must succeed and so fail its own test.
 */
import { describe, expect, test } from "bun:test";
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { O } from "../../src/ffi/flags.ts";
import { type Member, Place, pax, tar } from "./tar-writer.ts";
import { absoluteName, anyName, failsWithout, followed, type Weaker } from "./weaken.ts";

type Parts = (Member | Buffer)[];
const OUTSIDE = /outside the target: /;
const DONE = /unpacked/;
const names: Weaker = { split: anyName };

/** What, the archive, the words of the refusal, the guard, what its test fails with when that is gone. */
const refused: [string, Parts | ((place: Place) => Parts), string, Weaker, RegExp][] = [
  [
    "a name with .. (CVE-2001-1267, CVE-2007-4559)",
    [{ name: "../canary/file", data: "x" }],
    "'..' in the name (entry ../canary/file)",
    names,
    OUTSIDE,
  ],
  [
    "a name with .. inside",
    [{ name: "a/../../canary/file", data: "x" }],
    "'..' in the name (entry a/../../canary/file)",
    names,
    OUTSIDE,
  ],
  ["a directory named ..", [{ name: "..", type: "5", mode: 0o777 }], "'..' in the name (entry ..)", names, DONE],
  ["a pax path with ..", [pax({ path: "../canary/file" }), { name: "ok" }], "(entry ../canary/file)", names, OUTSIDE],
  ["a global pax path with ..", [pax({ path: "../x" }, "g"), { name: "ok" }], "'..' in the name (entry ../x)", names, OUTSIDE],
  [
    "a GNU long name with ..",
    [{ name: "l", type: "L", data: "../canary/file\0" }, { name: "ok" }],
    "'..' in the name (entry ../canary/file)",
    names,
    OUTSIDE,
  ],
  [
    "a file through a link of its own (CVE-2011-5325, CVE-2021-32803)",
    [
      { name: "l", type: "2", link: "../canary" },
      { name: "l/file", data: "x" },
    ],
    "'l' leads through a link or a file (entry l/file)",
    followed,
    OUTSIDE,
  ],
  [
    "a file through an absolute link",
    (place) => [
      { name: "l", type: "2", link: place.dir },
      { name: "l/canary/new", data: "x" },
    ],
    "'l/canary' leads through a link or a file (entry l/canary/new)",
    followed,
    OUTSIDE,
  ],
  [
    "a hard link through a link",
    [
      { name: "l", type: "2", link: "../canary" },
      { name: "h", type: "1", link: "l/file" },
    ],
    "'l' leads through a link or a file (entry h)",
    followed,
    OUTSIDE,
  ],
  [
    "a hard link to the outside (CVE-2016-5418)",
    [{ name: "h", type: "1", link: "../canary/file" }],
    "hard link target: '..' in the name (entry h)",
    names,
    OUTSIDE,
  ],
];

describe("tar: is refused, and nothing outside changes", () => {
  for (const [what, parts, words, weaker, fails] of refused) {
    const attack = async (): Promise<void> => {
      using place = new Place();
      const message = await place.refusal(tar(...(typeof parts === "function" ? parts(place) : parts)));
      expect(message).toStartWith("UsageError: x.tar: ");
      expect(message).toContain(words);
      expect(message).not.toContain("\n");
    };
    test(what, attack);
    test(`control: ${what}`, () => failsWithout(weaker, attack, fails));
  }

  test("a file in the place of a directory with contents", async () => {
    using place = new Place();
    const message = await place.refusal(tar({ name: "d/f", data: "x" }, { name: "d", data: "y" }));
    expect(message).toBe("SyscallError: x.tar: unpack d: ENOTEMPTY (directory not empty)");
  });
});

/** The same for what is unpacked, but not where it wanted to be. */
function harmless(what: string, weaker: Weaker, fails: RegExp, attack: (place: Place) => Promise<void>): void {
  const run = async (): Promise<void> => {
    using place = new Place();
    await attack(place);
  };
  test(what, run);
  test(`control: ${what}`, () => failsWithout(weaker, run, fails));
}

describe("tar: is unpacked, and nothing outside changes", () => {
  harmless("an absolute name lands inside (CVE-2021-32804)", { split: absoluteName }, OUTSIDE, async (place) => {
    await place.unpack(tar({ name: `//${place.canary}/file`, data: "x" }));
    expect(readFileSync(join(place.target, place.canary, "file"), "utf8")).toBe("x");
  });

  harmless("a directory over a link replaces the link", followed, OUTSIDE, async (place) => {
    symlinkSync("../canary", join(place.target, "l"));
    await place.unpack(tar({ name: "l/", type: "5", mode: 0o700 }, { name: "l/file", data: "x" }));
    expect(lstatSync(join(place.target, "l")).isDirectory()).toBe(true);
    expect(readFileSync(join(place.target, "l/file"), "utf8")).toBe("x");
  });

  harmless(
    "a directory that a link replaces gets no mode through it (CVE-2021-31566)",
    { ...followed, replaced: () => {} },
    OUTSIDE,
    async (place) => {
      await place.unpack(
        tar(
          { name: "d/", type: "5", mode: 0o700 },
          { name: "d", type: "2", link: "../canary" },
          { name: "d/", type: "5", mode: 0o711 },
          { name: "d", type: "2", link: "../canary" },
        ),
      );
      expect(readlinkSync(join(place.target, "d"))).toBe("../canary");
    },
  );

  harmless("a file over a link is a new file", { file: O.O_WRONLY | O.O_CREAT | O.O_TRUNC }, OUTSIDE, async (place) => {
    symlinkSync("../canary/file", join(place.target, "f"));
    await place.unpack(tar({ name: "f", data: "new" }));
    expect(lstatSync(join(place.target, "f")).isFile()).toBe(true);
  });

  const inPlace = { file: O.O_WRONLY | O.O_CREAT | O.O_TRUNC | O.O_NOFOLLOW };
  harmless("a file over a second name of a file is a new file", inPlace, /"newer"/, async (place) => {
    await place.unpack(tar({ name: "f", data: "new" }, { name: "g", type: "1", link: "f" }, { name: "f", data: "newer" }));
    expect(readFileSync(join(place.target, "f"), "utf8")).toBe("newer");
    expect(readFileSync(join(place.target, "g"), "utf8")).toBe("new");
  });

  harmless("a hard link to a link is a name of the link", { link: 0x400 /* AT_SYMLINK_FOLLOW */ }, OUTSIDE, async (place) => {
    await place.unpack(tar({ name: "l", type: "2", link: "../canary/file" }, { name: "h", type: "1", link: "l" }));
    expect(readlinkSync(join(place.target, "h"))).toBe("../canary/file");
  });

  harmless("the time of a link is its own", { metadata: 0 }, OUTSIDE, async (place) => {
    await place.unpack(tar({ name: "l", type: "2", link: "../canary/file", mtime: 1_500_000_000 }));
    expect(lstatSync(join(place.target, "l")).mtimeMs).toBe(1_500_000_000_000);
  });

  test("a file over an empty directory, a directory over a file", async () => {
    using place = new Place();
    mkdirSync(join(place.target, "d"));
    writeFileSync(join(place.target, "f"), "");
    await place.unpack(tar({ name: "d", data: "x" }, { name: "f", type: "5" }));
    const seen = readdirSync(place.target, { withFileTypes: true }).map((e) => `${e.name} ${e.isDirectory()}`);
    expect(seen.sort()).toEqual(["d false", "f true"]);
  });

  test("of duplicates the last one is there, with its own mode", async () => {
    using place = new Place();
    await place.unpack(
      tar({ name: "f", data: "1", mode: 0o777 }, { name: "./f", data: "2" }, { name: "/f", data: "3", mode: 0o600 }),
    );
    expect(readFileSync(join(place.target, "f"), "utf8")).toBe("3");
    expect(statSync(join(place.target, "f")).mode & 0o7777).toBe(0o600);
  });

  test("control characters in a name do not reach the message", async () => {
    using place = new Place();
    expect(await place.refusal(tar({ name: "\x1b[31m/../\n" }))).toContain("(entry \\x1b[31m/../\\x0a)");
  });
});
