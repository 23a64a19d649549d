/** Archives that want out, or that lie. `Place` checks after each that nothing beside the target changed. */
import { describe, expect, test } from "bun:test";
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { END, type Member, member, Place, pax, tar } from "./tar-writer.ts";

const refused: [string, (Member | Buffer)[], string][] = [
  ["a name with ..", [{ name: "../canary/file", data: "x" }], "'..' in the name (entry ../canary/file)"],
  ["a name with .. inside", [{ name: "a/../../canary/file", data: "x" }], "'..' in the name (entry a/../../canary/file)"],
  ["a directory named ..", [{ name: "..", type: "5", mode: 0o777 }], "'..' in the name (entry ..)"],
  ["a pax path with ..", [pax({ path: "../canary/file" }), { name: "ok" }], "'..' in the name (entry ../canary/file)"],
  ["a global pax path with ..", [pax({ path: "../x" }, "g"), { name: "ok" }], "'..' in the name (entry ../x)"],
  [
    "a GNU long name with ..",
    [{ name: "l", type: "L", data: "../canary/file\0" }, { name: "ok" }],
    "'..' in the name (entry ../canary/file)",
  ],
  [
    "a file through a link of its own",
    [
      { name: "l", type: "2", link: "../canary" },
      { name: "l/file", data: "x" },
    ],
    "'l' leads through a link or a file (entry l/file)",
  ],
  [
    "a file through an absolute link",
    [
      { name: "l", type: "2", link: "/" },
      { name: "l/etc/nsrun-test", data: "x" },
    ],
    "'l/etc' leads through a link or a file (entry l/etc/nsrun-test)",
  ],
  [
    "a hard link through a link",
    [
      { name: "l", type: "2", link: "../canary" },
      { name: "h", type: "1", link: "l/file" },
    ],
    "'l' leads through a link or a file (entry h)",
  ],
  [
    "a hard link to the outside",
    [{ name: "h", type: "1", link: "../canary/file" }],
    "hard link target: '..' in the name (entry h)",
  ],
  [
    "a hard link to itself",
    [
      { name: "h", data: "x" },
      { name: "h", type: "1", link: "./h" },
    ],
    "hard link to itself (entry h)",
  ],
  ["a file as the root", [{ name: "./", type: "6" }], "the root itself can only be a directory (entry ./)"],
  ["NUL in a pax path", [pax({ path: "a\0/../b" }), { name: "ok" }], "NUL in pax path"],
  ["NUL in a pax link", [pax({ linkpath: "a\0b" }), { name: "ok", type: "2" }], "NUL in pax linkpath"],
  ["a pax header without end", [member({ name: "p", type: "x", data: "99 path=x\n" }), { name: "ok" }], "malformed pax header"],
  [
    "a huge pax header",
    [member({ name: "p", type: "x", size: 2 ** 30 }), { name: "ok" }],
    "extended header of 1073741824 bytes (limit 1048576)",
  ],
  ["an empty name", [{ name: "" }], "empty name (entry )"],
  ["a bad checksum at the start", [{ name: "a", badChecksum: true }], "not a tar archive (no tar header at its start)"],
  ["a bad checksum later", [{ name: "a" }, { name: "b", badChecksum: true }], "bad header checksum after (entry a)"],
  ["a sparse file", [{ name: "s", type: "S" }], "sparse files are not supported (entry s)"],
  ["a pax sparse file", [pax({ "GNU.sparse.major": "1" }), { name: "s" }], "sparse files are not supported (entry s)"],
  ["an unknown type", [{ name: "s", type: "Z" }], 'unknown entry type "Z" (entry s)'],
  ["a second archive behind the first", [{ name: "a" }, END, { name: "b" }], "data after the end of the archive (entry a)"],
  ["a too deep path", [pax({ path: "d/".repeat(129) }), { name: "x", type: "5" }], "129 levels deep (limit 128)"],
  ["a too long path", [pax({ path: "d".repeat(5000) }), { name: "x" }], "name of 5000 bytes (limit 4096)"],
  ["an owner of -1", [{ name: "a", uid: 0xffffffff, base256: true }], "owner out of range (entry a)"],
  ["a size with a sign", [pax({ size: "-1" }), { name: "a" }], "pax size is no number (entry a)"],
];

describe("is refused, and nothing outside changes", () => {
  for (const [what, parts, words] of refused) {
    test(what, async () => {
      using place = new Place();
      const message = await place.refusal(tar(...parts));
      expect(message).toStartWith("UsageError: x.tar: ");
      expect(message).toContain(words);
      expect(message).not.toContain("\n");
    });
  }

  test("truncation at every 100th byte, naming the archive", async () => {
    using place = new Place();
    const whole = tar({ name: "a", data: "x".repeat(700) }, pax({ path: "b" }), { name: "short", data: "y" });
    for (let length = 0; length < whole.length - 1023; length += 100) {
      const message = await place.refusal(whole.subarray(0, length));
      expect(message).toMatch(/^UsageError: x\.tar: (truncated archive|not a tar archive \((empty|too short)\))/);
    }
  });

  test("too many entries and too many bytes", async () => {
    using place = new Place();
    expect(await place.refusal(tar({ name: "a" }, { name: "b" }), { maxEntries: 1 })).toContain("more than 1 entries (entry b)");
    expect(await place.refusal(tar({ name: "a", data: "xyz" }), { maxBytes: 2 })).toContain("more than 2 bytes (entry a)");
    expect(await place.refusal(member({ name: "a", size: 2 ** 40, base256: true }))).toContain("bytes (entry a)");
  });

  test("a file in the place of a directory with contents", async () => {
    using place = new Place();
    const message = await place.refusal(tar({ name: "d/f", data: "x" }, { name: "d", data: "y" }));
    expect(message).toBe("SyscallError: x.tar: unpack d: ENOTEMPTY (directory not empty)");
  });
});

describe("is unpacked, and nothing outside changes", () => {
  test("an absolute name lands inside", async () => {
    using place = new Place();
    await place.unpack(tar({ name: `//${place.canary}/file`, data: "x" }));
    expect(readFileSync(join(place.target, place.canary, "file"), "utf8")).toBe("x");
  });

  test("a directory over a link replaces the link", async () => {
    using place = new Place();
    symlinkSync("../canary", join(place.target, "l"));
    await place.unpack(tar({ name: "l/", type: "5", mode: 0o700 }, { name: "l/file", data: "x" }));
    expect(lstatSync(join(place.target, "l")).isDirectory()).toBe(true);
    expect(readFileSync(join(place.target, "l/file"), "utf8")).toBe("x");
  });

  test("a directory whose entry comes before it is replaced by a link gets no mode through that link", async () => {
    using place = new Place();
    await place.unpack(tar({ name: "d/", type: "5", mode: 0o777 }, { name: "d", type: "2", link: "../canary" }));
    expect(readlinkSync(join(place.target, "d"))).toBe("../canary");
  });

  test("a file over a link, or over a second name of a file, is a new file", async () => {
    using place = new Place();
    symlinkSync("../canary/file", join(place.target, "f"));
    await place.unpack(tar({ name: "f", data: "new" }, { name: "g", type: "1", link: "f" }, { name: "f", data: "newer" }));
    expect(readFileSync(join(place.target, "f"), "utf8")).toBe("newer");
    expect(readFileSync(join(place.target, "g"), "utf8")).toBe("new");
  });

  test("a hard link to a link is a name of the link", async () => {
    using place = new Place();
    await place.unpack(tar({ name: "l", type: "2", link: "../canary/file" }, { name: "h", type: "1", link: "l" }));
    expect(readlinkSync(join(place.target, "h"))).toBe("../canary/file");
  });

  test("a file over an empty directory, a directory over a file", async () => {
    using place = new Place();
    mkdirSync(join(place.target, "d"));
    writeFileSync(join(place.target, "f"), "");
    await place.unpack(tar({ name: "d", data: "x" }, { name: "f", type: "5" }));
    expect(
      readdirSync(place.target, { withFileTypes: true })
        .map((e) => `${e.name} ${e.isDirectory()}`)
        .sort(),
    ).toEqual(["d false", "f true"]);
  });

  test("control characters in a name do not reach the message", async () => {
    using place = new Place();
    expect(await place.refusal(tar({ name: "\x1b[31m/../\n" }))).toContain("(entry \\x1b[31m/../\\x0a)");
  });
});
