/** The same archive through GNU tar, bsdtar and nsrun: the same tree, where they do not differ themselves. */
import { describe, expect, test } from "bun:test";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { unpackFile } from "../../src/rootfs/archive.ts";
import { type Member, member, Place, pax, tar } from "./tar-writer.ts";

const root = process.geteuid?.() === 0;
const TOOLS = ["tar", "bsdtar"].filter((tool) => Bun.which(tool));
if (TOOLS.length < 2) console.log("skipped: bsdtar is not installed (Debian's package libarchive-tools)");

function run(argv: readonly string[], cwd?: string): string {
  const done = Bun.spawnSync([...argv], { ...(cwd ? { cwd } : {}), stderr: "pipe", env: { ...process.env, LC_ALL: "C.UTF-8" } });
  if (done.exitCode !== 0) throw new Error(`${argv.join(" ")}: ${done.stderr}`);
  return done.stdout.toString("latin1");
}

/** Names, kinds, modes, owners, links, sizes, times (of directories only with `dirTimes`), contents. */
function listing(dir: string, dirTimes: boolean): string[] {
  const what = "%p %y %m %U:%G %n %l";
  const times = dirTimes ? "" : "-not -type d";
  const lines = [
    run(["find", ".", "-printf", `${what}\\n`], dir),
    run(["find", ".", "-mindepth", "1", ...times.split(" ").filter(Boolean), "-printf", "%p %T@\\n"], dir),
    run(["find", ".", "-type", "f", "-readable", "-exec", "cksum", "{}", "+"], dir),
  ];
  return lines.join("").split("\n").sort();
}

/** Unpacks `archive` with each tool and with nsrun into directories of their own and compares. */
async function compare(place: Place, archive: string, dirTimes: boolean, tools = TOOLS): Promise<void> {
  const into = (name: string): string => {
    const dir = join(place.target, `out-${name}`);
    rmSync(dir, { recursive: true, force: true });
    mkdirSync(dir, { mode: 0o755 });
    return dir;
  };
  const ours = into("nsrun");
  await unpackFile(archive, ours, { setid: true });
  const made = listing(ours, dirTimes);
  for (const tool of tools) {
    const dir = into(tool);
    run([tool, "-C", dir, "-xpf", archive]);
    expect(made, `as ${tool} unpacks it`).toEqual(listing(dir, dirTimes));
  }
}

/** A tree of everything that tar knows and anybody may make. */
function tree(place: Place): string {
  const dir = join(place.target, "tree");
  mkdirSync(dir);
  const script = `mkdir -p a/b empty; echo x >a/f; ln a/f a/hard; ln -s nowhere a/l; ln -s ../a a/dir; ln a/l a/b/hardlink-to-link
    mkfifo -m 622 a/p; printf 'bytes' >"$(printf 'a/\\303\\274 name')"; echo s >a/su; chmod 6755 a/su; chmod 1777 empty
    truncate -s 1M holes; printf middle | dd of=holes bs=1 seek=300000 conv=notrunc 2>/dev/null
    truncate -s 3M many; for i in 1 3 5 7 9 11 13 15 17 19 21 23 25 27 29 31 33 35 37 39 41 43; do printf $i | dd of=many bs=1 seek=$((i * 65536)) conv=notrunc 2>/dev/null; done
    truncate -s 70000 hole-only; : >zero; d=a/b; for i in 1 2 3 4 5 6 7 8; do d=$d/a-directory-with-a-rather-long-name-$i; done; mkdir -p $d; echo deep >$d/f; ln -s $d a/long
    touch -h -d @1500000000.25 a/l a/f empty; touch -d @-100 zero`;
  run(["sh", "-c", script], dir);
  if (root)
    run(["sh", "-c", "chown 12:34 a/su; chown -h 56:78 a/l; chown 70000:3000000 empty; chmod 6755 a/su; chmod 555 a/b"], dir);
  return dir;
}

describe("a tree", () => {
  const writers: [string, string[]][] = [
    ["GNU tar, gnu", ["tar", "--format=gnu"]],
    ["GNU tar, gnu, sparse", ["tar", "--format=gnu", "-S"]],
    ["GNU tar, oldgnu", ["tar", "--format=oldgnu"]],
    ["GNU tar, pax", ["tar", "--format=pax"]],
    ["GNU tar, pax, sparse 1.0", ["tar", "--format=pax", "-S"]],
    ["GNU tar, pax, sparse 0.1", ["tar", "--format=pax", "-S", "--sparse-version=0.1"]],
    ["bsdtar, pax", ["bsdtar", "--format=pax"]],
    ["bsdtar, pax, sparse", ["bsdtar", "--format=pax", "--read-sparse"]],
    ["bsdtar, gnutar", ["bsdtar", "--format=gnutar"]],
  ];
  for (const [what, writer] of writers) {
    test.skipIf(!Bun.which(writer[0] ?? ""))(`written by ${what}`, async () => {
      using place = new Place();
      const archive = join(place.target, "t.tar");
      run([...writer, "-C", tree(place), "-cf", archive, "."]);
      await compare(place, archive, false);
      // GNU tar gives some directories of bsdtar's archives the time of now
      await compare(place, archive, true, writer.slice(0, 1));
    });
  }
});

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
