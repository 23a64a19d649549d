/** What is no file of content: device nodes, whiteouts, attributes, set-id bits, foreign owners, fifos. */
import { describe, expect, test } from "bun:test";
import { chmodSync, chownSync, existsSync, lstatSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { UnpackOptions } from "../../src/rootfs/unpack.ts";
import { type Member, Place, pax, tar } from "./tar-writer.ts";
import { failsWithout, type Weaker } from "./weaken.ts";

const root = process.geteuid?.() === 0;
if (!root) console.log("skipped: making device nodes needs root");
const DONE = /"unpacked"/;

const hidden: [string, (Member | Buffer)[], string, Weaker][] = [
  [
    "a whiteout of overlayfs: character device 0:0",
    [{ name: "gone", type: "3" }],
    "an overlayfs whiteout (character device 0:0), which would hide a file (entry gone)",
    { whiteout: () => false },
  ],
  ...["trusted.overlay.opaque", "user.overlay.whiteout", "trusted.overlay.redirect", "user.overlay.metacopy"].map(
    (name): (typeof hidden)[number] => [
      `the attribute ${name}`,
      [pax({ [`SCHILY.xattr.${name}`]: "y" }), { name: "d", type: "5" }],
      `the attribute ${name}, which would hide or redirect files (entry d)`,
      { overlayAttribute: () => false },
    ],
  ),
  [
    "an attribute of overlayfs in libarchive's spelling",
    [pax({ "LIBARCHIVE.xattr.trusted%2Eoverlay.opaque": "eQ" }), { name: "d", type: "5" }],
    "the attribute trusted.overlay.opaque",
    { overlayAttribute: () => false },
  ],
  [
    "an attribute of overlayfs for the whole archive",
    [pax({ "SCHILY.xattr.user.overlay.opaque": "y" }, "g"), { name: "d", type: "5" }],
    "the attribute user.overlay.opaque",
    { overlayAttribute: () => false },
  ],
];

describe("tar: what would hide files of other layers is refused", () => {
  for (const [what, parts, words, weaker] of hidden) {
    const attack = async (): Promise<void> => {
      using place = new Place();
      expect(await place.refusal(tar(...parts), { devices: root })).toContain(words);
      expect(readdirSync(place.target)).toEqual([]);
    };
    test(what, attack);
    test(`control: ${what}`, () => failsWithout(weaker, attack, DONE));
  }

  test("an OCI whiteout is a file with an odd name: it deletes nothing", async () => {
    using place = new Place();
    await place.unpack(
      tar(
        { name: "d/kept", data: "x" },
        { name: "d/.wh.kept" },
        { name: "d/.wh..wh..opq" },
        { name: "e/.wh.never" },
        { name: "late", data: "x" },
        { name: ".wh.late" },
      ),
    );
    expect(readdirSync(join(place.target, "d")).sort()).toEqual([".wh..wh..opq", ".wh.kept", "kept"]);
    expect(readdirSync(place.target).sort()).toEqual([".wh.late", "d", "e", "late"]);
    expect(lstatSync(join(place.target, "d/.wh.kept")).isFile()).toBe(true);
  });
});

/** A test, and the same with an option that gives up what it is about. */
function unlessAsked(
  what: string,
  asked: UnpackOptions,
  needsRoot: boolean,
  attack: (options: UnpackOptions) => Promise<void>,
): void {
  test(what, () => attack({}));
  test.skipIf(needsRoot && !root)(`control: ${what}`, () => expect(attack(asked)).rejects.toThrow());
}

describe("tar: kinds of files", () => {
  const NODES: Member[] = [
    { name: "dev/sda", type: "4", mode: 0o666, major: 8 },
    { name: "dev/mem", type: "3", mode: 0o666, major: 1, minor: 1 },
  ];
  unlessAsked("device nodes are made for root on request only", { devices: true }, true, async (options) => {
    using place = new Place();
    expect((await place.unpack(tar(...NODES), options)).skipped.devices).toBe(2);
    expect(readdirSync(place.target)).toEqual([]);
  });

  test("a device node takes nothing away when it is left out", async () => {
    using place = new Place();
    await place.unpack(tar({ name: "f", data: "x" }, { name: "f", type: "3", major: 1, minor: 3 }));
    expect(lstatSync(join(place.target, "f")).isFile()).toBe(true);
  });

  test("a fifo is one, and does not hold the unpacking up", async () => {
    using place = new Place();
    const report = await place.unpack(
      tar({ name: "p", type: "6", mode: 0o622 }, { name: "p", data: "x" }, { name: "q", type: "6", mode: 0o622 }),
    );
    expect(report.fifos).toBe(2);
    expect(lstatSync(join(place.target, "p")).isFile()).toBe(true);
    const fifo = lstatSync(join(place.target, "q"));
    expect([fifo.isFIFO(), fifo.mode & 0o7777]).toEqual([true, 0o622]);
  });

  test.skipIf(!root)("a device number that does not exist", async () => {
    using place = new Place();
    const archive = tar({ name: "d", type: "3", major: 4096, minor: 1 });
    expect(await place.refusal(archive, { devices: true })).toContain("device number 4096:1 out of range (entry d)");
  });
});

describe("tar: whose files, with whose rights", () => {
  unlessAsked("set-id bits go where the owner is not given", { setid: true }, false, async (options) => {
    using place = new Place();
    const report = await place.unpack(tar({ name: "su", mode: 0o6755, data: "x" }, { name: "d", type: "5", mode: 0o2775 }), {
      owners: false,
      ...options,
    });
    expect(statSync(join(place.target, "su")).mode & 0o7777).toBe(0o755);
    expect(report).toMatchObject({ setid: 0, skipped: { setid: 2 } });
  });

  unlessAsked("foreign owners are given as root only when nobody says otherwise", { owners: true }, true, async (options) => {
    using place = new Place();
    const report = await place.unpack(tar({ name: "f", uid: 1234, gid: 5678 }), { owners: false, ...options });
    expect(statSync(join(place.target, "f")).uid).toBe(process.geteuid?.() ?? -1);
    expect(report.skipped.owners).toBe(1);
  });

  test.skipIf(!root)("owners are the archive's below a set-gid directory, of ours or of before", async () => {
    using place = new Place();
    const parts: Member[] = [
      { name: "d", type: "5" },
      { name: "d/f", data: "x" },
      { name: "old/g", data: "x" },
    ];
    const groups = () => ["d/f", "old/g"].map((name) => statSync(join(place.target, name)).gid);
    chownSync(place.target, 0, 1234);
    chmodSync(place.target, 0o2755);
    await place.unpack(tar(...parts));
    expect(groups()).toEqual([0, 0]);
    chownSync(join(place.target, "old"), 0, 1234);
    chmodSync(join(place.target, "old"), 0o2755);
    await place.unpack(tar(...parts));
    expect(groups()).toEqual([0, 0]);
  });

  test.skipIf(!root)("set-id bits that are kept are counted", async () => {
    using place = new Place();
    expect((await place.unpack(tar({ name: "su", mode: 0o4755, data: "x" }))).setid).toBe(1);
    expect(existsSync(join(place.target, "su"))).toBe(true);
  });
});
