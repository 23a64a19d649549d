/** Odd archives: nsrun makes of them what GNU tar and bsdtar make, where these agree. */
import { describe, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { compare, root, TOOLS } from "./compare.ts";
import { type Member, member, Place, pax, tar } from "./tar-writer.ts";

/** What nobody's tar writes, or not any more. The tools that agree with each other and with us. */
const odd: [string, (Member | Buffer)[], (string[] | undefined)?][] = [
  [
    "duplicates",
    [
      { name: "f", data: "1" },
      { name: "./f", data: "22", mode: 0o600 },
      { name: "f", data: "333" },
    ],
  ],
  [
    "a file over a link, a link over a file",
    [
      { name: "l", type: "2", link: "x" },
      { name: "l", data: "f" },
      { name: "l", type: "2", link: "y" },
    ],
  ],
  [
    "a directory over a link to one",
    [{ name: "d", type: "5" }, { name: "l", type: "2", link: "d" }, { name: "l/", type: "5" }, { name: "l/f" }],
  ],
  [
    "a directory over a file, a file over a directory",
    [{ name: "f" }, { name: "f", type: "5" }, { name: "d", type: "5" }, { name: "d", data: "x" }],
  ],
  [
    "parents that no entry speaks of",
    [
      { name: "a/b/c", data: "x" },
      { name: "a", type: "5", mode: 0o700 },
    ],
  ],
  [
    "absolute names, dots, many slashes",
    [
      { name: "/abs/f", data: "x" },
      { name: ".//a/./b//c", data: "y" },
      { name: "./", type: "5", mode: 0o711 },
    ],
  ],
  [
    "hard links before and after a new file of the name",
    [
      { name: "f", data: "1" },
      { name: "h", type: "1", link: "f" },
      { name: "f", data: "2" },
      { name: "i", type: "1", link: "f" },
    ],
  ],
  [
    "a hard link over a file, and with a body's size",
    [
      { name: "f", data: "1" },
      { name: "h", data: "2" },
      { name: "h", type: "1", link: "/f" },
    ],
  ],
  [
    "v7, and a directory by its slash",
    [
      { name: "d/", v7: true, type: "\0", mode: 0o755 },
      { name: "d/f", v7: true, type: "\0", data: "x" },
    ],
  ],
  ["contiguous files", [{ name: "c", type: "7", data: "x" }]],
  ["base 256", [{ name: "b", base256: true, uid: 2_500_000, mtime: 2 ** 34, data: "x" }]],
  [
    "names that are no UTF-8, blanks, quotes, a newline",
    [
      { name: "\xff\xfe \"'\\", data: "x" },
      { name: "new\nline", data: "y" },
    ],
  ],
  [
    "pax values, own and global",
    [
      pax({ mtime: "1234567890.5" }, "g"),
      pax({ path: "long", mtime: "12.5" }),
      { name: "s", data: "x" },
      { name: "t", data: "y" },
    ],
    ["tar"],
  ],
  [
    "pax before GNU long names",
    [{ name: "L", type: "L", data: "gnu\0" }, pax({ path: "pax" }), { name: "x", data: "x" }],
    ["tar"],
  ],
  [
    "two long names before one member",
    [{ name: "L", type: "L", data: "first\0" }, { name: "L", type: "L", data: "second\0" }, { name: "x" }],
    ["tar"],
  ],
  ["unknown pax records", [pax({ "VENDOR.thing": "1", comment: "c", path: "p" }), { name: "x", data: "x" }]],
  [
    "set-id, sticky and no permission",
    [
      { name: "a", mode: 0o7777 },
      { name: "b", mode: 0 },
      { name: "d", type: "5", mode: 0o3700 },
      { name: "d/f", data: "x" },
    ],
    root ? undefined : ["tar"], // bsdtar keeps set-id bits for root only
  ],
  ["fifos", [{ name: "p", type: "6", mode: 0o640 }]],
  ["a volume label first", [member({ name: "label", type: "V" }), { name: "f", data: "x" }]],
  [
    "times before 1970 and after 2038",
    [pax({ mtime: "-1.25" }), { name: "old" }, pax({ mtime: "4102444800.000000001" }), { name: "new" }],
    ["tar"], // bsdtar takes -1.25 for -0.75
  ],
];

describe("an odd archive", () => {
  for (const [what, parts, tools] of odd) {
    test(what, async () => {
      using place = new Place();
      const archive = join(place.target, "t.tar");
      writeFileSync(archive, tar(...parts));
      await compare(
        place,
        archive,
        false,
        tools?.filter((tool) => TOOLS.includes(tool)),
      );
    });
  }
});
