/** What the reader makes of each dialect. */
import { expect, test } from "bun:test";
import { type TarEntry, TarReader } from "../../src/rootfs/tar.ts";
import { paxTime } from "../../src/rootfs/tar-pax.ts";
import { type Member, member, pax, stream, tar } from "./tar-writer.ts";

async function read(...parts: (Member | Buffer)[]): Promise<(TarEntry & { data: string })[]> {
  const reader = new TarReader(stream(tar(...parts), 77), "x.tar");
  const out: (TarEntry & { data: string })[] = [];
  for (let entry = await reader.next(); entry; entry = await reader.next()) {
    let data = "";
    await reader.copy((piece) => {
      data += Buffer.from(piece).toString();
    });
    out.push({ ...entry, data });
  }
  return out;
}

test("ustar, in chunks that fit nothing", async () => {
  const [entry] = await read({ name: "usr/x", mode: 0o4755, uid: 1, gid: 2, mtime: 3, data: "z".repeat(1500) });
  expect(entry).toEqual({
    name: "usr/x",
    type: "file",
    mode: 0o4755,
    uid: 1,
    gid: 2,
    size: 1500,
    mtime: { seconds: 3, nanoseconds: 0 },
    linkname: "",
    major: 0,
    minor: 0,
    xattrs: [],
    data: "z".repeat(1500),
  });
});

test("a v7 directory is a name with a slash", async () => {
  expect((await read({ name: "d/", v7: true, type: "\0" })).map((e) => e.type)).toEqual(["directory"]);
});

test("base 256 numbers, also negative ones", async () => {
  expect((await read({ name: "a", uid: 3_000_000, base256: true, data: "x" }))[0]).toMatchObject({ uid: 3_000_000, data: "x" });
  const block = member({ name: "a" });
  block.fill(0xff, 136, 148);
  block.fill(" ", 148, 156);
  block.write(
    `${block
      .reduce((a, b) => a + b, 0)
      .toString(8)
      .padStart(6, "0")}\0 `,
    148,
    "latin1",
  );
  expect((await read(block))[0]?.mtime).toEqual({ seconds: -1, nanoseconds: 0 });
});

test("pax: own values win over global ones, a size too large for octal is taken from it", async () => {
  const entries = await read(
    pax({ uid: "7", mtime: "9.5", "SCHILY.xattr.user.a": "b" }, "g"),
    pax({ uid: "8", path: "long/ü", size: "3" }),
    { name: "x", size: 0, data: "abc" },
    { name: "y" },
  );
  expect(entries.map((e) => [e.name, e.uid, e.data, e.mtime.nanoseconds, e.xattrs])).toEqual([
    [Buffer.from("long/ü").toString("latin1"), 8, "abc", 500_000_000, ["user.a"]],
    ["y", 7, "", 500_000_000, ["user.a"]],
  ]);
});

test("GNU long names and links", async () => {
  const long = `${"d/".repeat(90)}f`;
  const entries = await read(
    { name: "././@LongLink", type: "K", data: `${long}t\0` },
    { name: "././@LongLink", type: "L", data: `${long}\0` },
    { name: long, type: "2", link: long },
  );
  expect(entries.map((e) => [e.name, e.linkname])).toEqual([[long, `${long}t`]]);
});

test("a name that is no UTF-8 stays what it is", async () => {
  expect((await read({ name: "\xff\xfe" }))[0]?.name).toBe("\xff\xfe");
});

test("pax times", () => {
  const at = (text: string) => paxTime(new Map([["mtime", text]]), "mtime");
  expect(at("1.000000001")).toEqual({ seconds: 1, nanoseconds: 1 });
  expect(at("-1.5")).toEqual({ seconds: -2, nanoseconds: 500_000_000 });
  expect(at("")).toBeUndefined();
  expect(() => at("1e9")).toThrow("pax mtime is no time");
});
