/** How an archive is cut into chunks changes nothing, nor that each chunk's memory is another's as soon as the next is asked for. */
import { expect, test } from "bun:test";
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { checksumFits, tarNumber } from "../../src/rootfs/tar-header.ts";
import { END, member, octal, Place, pax, tar } from "./tar-writer.ts";

const noise = (length: number, seed: number) => Uint8Array.from({ length }, (_, i) => (i * seed) >>> 3);
const sparse = (size: number): string => octal(size, 12);
const map = "2\n0\n3\n4000\n3\n";
const ARCHIVE = tar(
  { name: "d", type: "5", mode: 0o750 },
  ...Array.from({ length: 40 }, (_, i) => ({ name: `d/f${i}`, mode: 0o640 + (i & 7), mtime: i, data: noise(i * 97, i + 7) })),
  { name: "././@LongLink", type: "L", data: `d/${"n".repeat(150)}\0` },
  { name: "short", data: "long" },
  pax({ path: "d/pax", mtime: "12.5", comment: "c".repeat(3000) }),
  { name: "x", data: noise(5000, 11) },
  member({
    name: "d/old",
    type: "S",
    data: "abcdef",
    patch: [
      [257, "ustar  \0"],
      [386, sparse(0) + sparse(3) + sparse(4000) + sparse(3)],
      [483, sparse(5000)],
    ],
  }),
  pax({ "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "d/new", "GNU.sparse.realsize": "5000" }),
  { name: "GNUSparseFile.0/new", data: `${map.padEnd(512, "\0")}abcdef` },
  { name: "d/link", type: "2", link: "f1" },
  { name: "d/hard", type: "1", link: "d/f39" },
);

/** Chunks of `step` bytes in one memory, whose contents are gone when the next is asked for. */
async function* lent(data: Uint8Array, step: number): AsyncGenerator<Uint8Array> {
  const memory = Buffer.from(new ArrayBuffer(step));
  for (let at = 0; at < data.length; at += step) {
    memory.set(data.subarray(at, at + step));
    yield memory.subarray(0, Math.min(step, data.length - at));
    memory.fill(0xaa);
  }
}

function tree(dir: string): string[] {
  return readdirSync(dir, { recursive: true, encoding: "utf8" })
    .sort()
    .map((name) => {
      const path = join(dir, name);
      const { mode, size, mtimeMs, nlink } = lstatSync(path);
      const directory = (mode & 0o170000) === 0o040000;
      const text = directory ? "" : (mode & 0o170000) === 0o120000 ? readlinkSync(path) : Bun.hash(readFileSync(path));
      return `${name} ${mode.toString(8)} ${directory ? "" : size} ${mtimeMs} ${nlink} ${text}`;
    });
}

test("every size of chunk, in memory that is used again", async () => {
  using whole = new Place();
  const report = await whole.unpackOf(lent(ARCHIVE, ARCHIVE.length));
  const wanted = tree(whole.target);
  expect(wanted).toHaveLength(47);
  for (const step of [1, 77, 511, 512, 513, 1000, 1023, 1537, 4099, 10241, 65536]) {
    using place = new Place();
    expect([step, await place.unpackOf(lent(ARCHIVE, step))]).toEqual([step, report]);
    expect([step, ...tree(place.target)]).toEqual([step, ...wanted]);
  }
});

test("a header is the same at any address, also in a Buffer", () => {
  const block = member({ name: "a".repeat(99), uid: 0o1234567, mtime: 0o77777777777 }).subarray(0, 512);
  const memory = Buffer.concat([END, END]);
  for (let at = 0; at < 9; at++) {
    memory.set(block, at);
    expect([at, checksumFits(memory.subarray(at, at + 512))]).toEqual([at, true]);
    for (const changed of [0, 98, 107, 147, 156, 345, 511]) {
      memory.writeUInt8(memory.readUInt8(at + changed) ^ 0x40, at + changed);
      expect([at, changed, checksumFits(memory.subarray(at, at + 512))]).toEqual([at, changed, false]);
      memory.writeUInt8(memory.readUInt8(at + changed) ^ 0x40, at + changed);
    }
  }
});

test("checksums of signed bytes; of none but 0xff; an empty one", () => {
  const block = Buffer.alloc(512, 0xff);
  const write = (sum: string) => block.fill("\0", 148, 156).write(sum, 148, "latin1");
  write(`${(504 * 255 + 256).toString(8)}\0`);
  expect(checksumFits(block)).toBe(true);
  block.fill(0, 0, 262); // 250 bytes of -1
  write("6\0");
  expect(checksumFits(block)).toBe(true);
  block[0] = block[1] = block[2] = block[3] = block[4] = block[5] = 0xff; // signed sum 0
  write("0\0");
  expect(checksumFits(block)).toBe(true);
  for (const empty of ["", "        ", "9\0", "-0\0"]) {
    write(empty);
    expect([empty, checksumFits(block)]).toEqual([empty, false]);
  }
});

/** A number's field as POSIX and old tars have it, said once more in strings. */
function said(field: string): number | string {
  const digits = (field.split("\0")[0] ?? "").trim();
  return digits === "" ? 0 : /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : "n is no number";
}

test("numbers: 50000 fields of digits, blanks and what does not belong there", () => {
  const letters = ["0", "1", "3", "7", "7", "7", "8", " ", " ", "\0", "\0", "\t", "-", "\xa0", "/"];
  for (let i = 0, seed = 1; i < 50_000; i++) {
    const length = i % 2 === 0 ? 8 : 12;
    const plain = i % 3;
    let field = "";
    for (let k = 0; k < length; k++) {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      field +=
        letters[
          plain === 0
            ? (seed >>> 16) % letters.length
            : plain === 1 || k < length - 2
              ? (seed >>> 16) % 6
              : 7 + ((seed >>> 16) % 4)
        ];
    }
    if ((field.charCodeAt(0) & 0x80) !== 0) continue; // base 256
    const block = Buffer.from(`x${field}7`, "latin1");
    let got: number | string;
    try {
      got = tarNumber(block, 1, length, "n");
    } catch (error) {
      got = error instanceof Error ? error.message : "";
    }
    if (got !== said(field)) expect([field, got]).toEqual([field, said(field)]);
  }
});
