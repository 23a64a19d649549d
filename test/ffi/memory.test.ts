/** What passes between JavaScript and the kernel: numbers of 64 bits, strings of any length and letters. */
import { expect, test } from "bun:test";
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { readText } from "../../src/ffi/file.ts";
import { sys } from "../../src/ffi/syscall.ts";
import { textOf, utf8 } from "../../src/ffi/text.ts";
import { set64 } from "../../src/ffi/words.ts";

test("set64 writes what BigInt64Array reads", () => {
  const words = new Int32Array(4);
  const read = new BigInt64Array(words.buffer);
  const edges = [0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 0x7fff_ffff_f000, 2 ** 53 - 1];
  for (const value of [...edges, ...edges.map((edge) => -edge)]) {
    set64(words, 2, value);
    expect(read[1]).toBe(BigInt(value));
  }
  expect(read[0]).toBe(0n);
});

test("text is what TextDecoder makes of it, but a mark at the beginning stays", () => {
  const odd = [[0xff, 65], [0xc3, 0xa4], [0xe2, 0x82], [0xed, 0xa0, 0x80], [0xc0, 0x80], [65, 0, 66], []];
  for (const bytes of odd) expect(textOf(new Uint8Array(bytes))).toBe(new TextDecoder().decode(new Uint8Array(bytes)));
  expect(textOf(new Uint8Array([0xef, 0xbb, 0xbf, 65]))).toBe("\ufeffA");
  expect(textOf(utf8("größer 雪 😀").subarray(1))).toBe("rößer 雪 😀");
});

test("strings of a call do not run into each other, whatever their length", () => {
  const dir = realpathSync(mkdtempSync("/tmp/nsrun-memory-"));
  try {
    writeFileSync(`${dir}/größer`, "x");
    const link = (to: string, name: string) => sys("symlinkat", to, -100, `${dir}/${name}`);
    expect(link("雪".repeat(300), "short")).toBe(0);
    expect(sys("renameat2", -100, `${dir}/größer`, -100, `${dir}/😀`, 0)).toBe(0);
    expect(readText(`${dir}/😀`)).toBe("x");
    expect(link("a", "again")).toBe(0); // after a longer one
    const names = Bun.spawnSync(["sh", "-c", "for l in short again; do readlink $l; done; ls"], { cwd: dir }).stdout.toString();
    expect(names).toBe(`${"雪".repeat(300)}\na\nagain\nshort\n😀\n`);
    // what is too long is the kernel's to say, not ours
    for (const length of [4097, 20_000, 200_000]) expect(sys("faccessat2", -100, "a".repeat(length), 0, 0)).toBe(-36);
    expect(link("b", "last")).toBe(0);
    expect(() => sys("chdir", "a\0b")).toThrow("NUL");
  } finally {
    rmSync(dir, { recursive: true });
  }
});
