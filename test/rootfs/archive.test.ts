/** Whole files: compression, damage, and the same tree as GNU tar makes. */
import { describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { unpackFile } from "../../src/rootfs/archive.ts";
import { compressionOf, decompress } from "../../src/rootfs/decompress.ts";
import { Place, stream, tar } from "./tar-writer.ts";

function run(command: string[], cwd?: string): string {
  const done = Bun.spawnSync(command, { ...(cwd ? { cwd } : {}), stderr: "pipe" });
  if (done.exitCode !== 0) throw new Error(`${command.join(" ")}: ${done.stderr}`);
  return done.stdout.toString();
}

const words = async (work: Promise<unknown>): Promise<string> =>
  await work.then(
    () => "done",
    (error: unknown) => (error instanceof Error ? `${error.name}: ${error.message}` : String(error)),
  );

const TOOLS = { gzip: "gz", zstd: "zst", xz: "xz", bzip2: "bz2" } as const;

describe("as GNU tar unpacks it", () => {
  for (const format of ["gnu", "pax", "ustar", "v7"]) {
    test(`${format}, plain and compressed`, async () => {
      using place = new Place();
      const source = join(place.target, "source");
      mkdirSync(join(source, "a/b/empty"), { recursive: true });
      writeFileSync(join(source, "a/file"), "x".repeat(100_000));
      writeFileSync(join(source, "a/b/setuid"), "");
      chmodSync(join(source, "a/b/setuid"), 0o4711);
      chmodSync(join(source, "a/b/empty"), 0o1777);
      symlinkSync("../nowhere/ü", join(source, "a/link"));
      run(["ln", "file", "second"], join(source, "a"));
      run(["ln", "link", "link2"], join(source, "a"));
      if (format !== "v7" && format !== "ustar") {
        const deep = join(source, ...Array.from({ length: 12 }, (_, i) => `directory-${i}-with-a-long-name`));
        mkdirSync(deep, { recursive: true });
        writeFileSync(join(deep, "f"), "deep");
      }
      chmodSync(join(source, "a"), 0o555);
      utimesSync(join(source, "a"), 1.5e9, 1.4e9);
      const archive = join(place.target, "t.tar");
      run(["tar", `--format=${format}`, "-C", source, "-cf", archive, "."]);
      const listing = (dir: string) =>
        run(["sh", "-c", "find . -printf '%P %y %m %U:%G %n %T@ %l\\n' | sort; find . -type f | sort | xargs cksum"], dir);
      mkdirSync(join(place.target, "gnu"));
      run(["tar", "-C", join(place.target, "gnu"), "-xpf", archive]);
      const expected = listing(join(place.target, "gnu"));
      const ours = async (file: string, dir: string) => {
        await unpackFile(file, dir, { setid: true });
        return listing(dir);
      };
      expect(await ours(archive, join(place.target, "plain"))).toBe(expected);
      for (const [tool, suffix] of Object.entries(TOOLS)) {
        if (!Bun.which(tool)) {
          console.log(`skipped ${tool}: not installed`);
          continue;
        }
        run([tool, "-k", archive]);
        expect(await ours(`${archive}.${suffix}`, join(place.target, tool))).toBe(expected);
      }
      place.check();
    });
  }
});

describe("damage is an error that names the file", () => {
  const noise = new Uint8Array(200_000).map((_, i) => (i * 7919 * (i >> 3)) & 0xff);
  const plain = tar({ name: "noise", data: noise });
  for (const [tool, suffix] of Object.entries(TOOLS)) {
    test(tool, async () => {
      if (!Bun.which(tool)) {
        console.log(`skipped: ${tool} is not installed`);
        return;
      }
      using place = new Place();
      const file = join(place.target, `t.tar.${suffix}`);
      const out = join(place.target, "out");
      const packed = Bun.spawnSync([tool, "-c"], { stdin: plain }).stdout;
      for (const cut of [10, packed.length >> 1, packed.length - 5, packed.length - 1]) {
        writeFileSync(file, packed.subarray(0, cut));
        expect(await words(unpackFile(file, out))).toMatch(new RegExp(`^UsageError: ${file}: .*(truncated|damaged|not a tar)`));
      }
      writeFileSync(file, Buffer.concat([packed, Buffer.from("garbage behind it")]));
      expect(await words(unpackFile(file, out))).toMatch(new RegExp(`^UsageError: ${file}: .*(trailing|damaged)`));
      const bent = Buffer.from(packed);
      bent.writeUInt8((bent[bent.length >> 1] ?? 0) ^ 0xff, bent.length >> 1);
      writeFileSync(file, bent);
      expect(await words(unpackFile(file, out))).toMatch(new RegExp(`^UsageError: ${file}: `));
      // two members one after the other are one stream (RFC 1952, RFC 8878, xz, bzip2)
      const halves = [plain.subarray(0, 1000), plain.subarray(1000)];
      writeFileSync(file, Buffer.concat(halves.map((half) => Bun.spawnSync([tool, "-c"], { stdin: half }).stdout)));
      expect(await words(unpackFile(file, out))).toBe("done");
    });
  }

  test("what is no archive", async () => {
    using place = new Place();
    const file = join(place.target, "f");
    for (const [content, why] of [
      ["", "empty"],
      ["hello", "too short"],
      ["x".repeat(600), "no tar header at its start"],
      ["PK\x03\x04".padEnd(600), "a zip file"],
      ["\x7fELF".padEnd(600), "a program"],
      ["#!/bin/sh\n".padEnd(600), "a script"],
    ]) {
      writeFileSync(file, content ?? "");
      expect(await words(unpackFile(file, join(place.target, "out")))).toBe(`UsageError: ${file}: not a tar archive (${why})`);
    }
    expect(await words(unpackFile(join(place.target, "none"), join(place.target, "new")))).toContain(
      "ENOENT (no such file or directory)",
    );
    expect(existsSync(join(place.target, "new"))).toBe(false);
    expect(await words(unpackFile(place.target, join(place.target, "new")))).toContain("EISDIR (is a directory)");
  });

  test("a missing xz is named with its package", async () => {
    const path = process.env.PATH;
    process.env.PATH = "/nonexistent";
    try {
      const data = new Uint8Array([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 0]);
      const error = await Array.fromAsync(decompress(stream(data), "t.xz")).catch((e: unknown) => e);
      expect(error).toMatchObject({
        message: "t.xz: xz is needed to unpack this and is not installed",
        hint: "install the package xz-utils",
      });
    } finally {
      process.env.PATH = path;
    }
  });
});

/** Eight megabytes of zeros with a limit: how many bytes came, and the words at their end. */
async function bombs(maxRatio: number): Promise<(readonly [number, string])[]> {
  const zeros = Buffer.alloc(8 << 20);
  const packed = [gzipSync(zeros), zstdCompressSync(zeros)].map(async (file) => {
    let given = 0;
    const drain = async (): Promise<void> => {
      for await (const chunk of decompress(stream(file, 64), "b.tar", { maxRatio, from: 1 << 20 })) given += chunk.length;
    };
    const said = await words(drain());
    return [given, said] as const;
  });
  return await Promise.all(packed);
}

test("tar: a bomb is stopped by its ratio, early", async () => {
  for (const [given, said] of await bombs(100)) {
    expect(said).toBe("UsageError: b.tar: unpacks to more than 100 times its size");
    expect(given).toBeLessThan(3 << 20);
  }
});
test("control: tar: a bomb is stopped by its ratio, early", async () => {
  expect(await bombs(1e9)).toEqual([
    [8 << 20, "done"],
    [8 << 20, "done"],
  ]);
});

test("tar: a real bomb against the default limit, and a sparse plain file is no bomb", async () => {
  using place = new Place();
  const file = join(place.target, "bomb.zst");
  writeFileSync(file, zstdCompressSync(tar({ name: "z", data: Buffer.alloc(100 << 20) })));
  expect(await words(unpackFile(file, join(place.target, "out")))).toContain("unpacks to more than 1000 times its size");
  const plain = join(place.target, "plain.tar");
  writeFileSync(plain, tar({ name: "a", data: "x" }));
  truncateSync(plain, 70 << 20);
  expect(await words(unpackFile(plain, join(place.target, "out2")))).toBe("done");
});

test("compressions by their first bytes", () => {
  expect(compressionOf(new Uint8Array([0x1f, 0x8b, 8]))).toBe("gzip");
  expect(compressionOf(new Uint8Array([0x52, 0x2a, 0x4d, 0x18]))).toBe("zstd");
  expect(compressionOf(new Uint8Array([0x42, 0x5a, 0x68, 0x39]))).toBe("bzip2");
  expect(compressionOf(new Uint8Array([]))).toBeUndefined();
});
