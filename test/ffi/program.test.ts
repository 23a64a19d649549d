/** The encoded program is what trampoline.c reads, word by word. */
import { expect, test } from "bun:test";
import { encode } from "../../src/ffi/program.ts";

const binding = { address: 0x1000, socket: 7, slot: (name: string) => ({ a: 11 })[name] ?? -1 } as const;
const words = (bytes: Uint8Array) => Array.from(new BigInt64Array(bytes.slice().buffer), Number);

test("header: the socket, the record of a pid, the size", () => {
  const bytes = encode([{ call: "getpid", args: [] }], { ...binding, arch: "x64" });
  const view = new DataView(bytes.buffer);
  expect(view.getBigInt64(0, true)).toBe(7n);
  expect(view.getInt32(8, true)).toBe(1);
  expect(view.getBigInt64(24, true)).toBe(BigInt(bytes.length));
});

test("a step: number, arguments, flags, tolerated errno, jump", () => {
  const steps = [
    { call: "clone", args: [17, { slot: "a" }], jump: "end", store: true },
    { call: "close", args: [{ reg: true }], tolerate: 9, soft: true },
    { call: "reap", args: [{ reg: true }, 1], mark: "end", exact: true },
  ] as const;
  const all = words(encode(steps, { ...binding, arch: "x64" })).slice(4);
  expect(all.slice(0, 10)).toEqual([56, 17, 11, 0, 0, 0, 0, 64, 0, 2]);
  expect(all.slice(10, 20)).toEqual([3, 0, 0, 0, 0, 0, 0, 1 | 128, 9, 0]);
  expect(all.slice(20, 30)).toEqual([-2, 0, 1, 0, 0, 0, 0, 1 | 256, 0, 0]);
});

test("strings and pointer arrays are absolute addresses into the segment", () => {
  const bytes = encode([{ call: "execve", args: ["/bin/x", { words: ["x", 0], text: "" }] }], { ...binding, arch: "arm64" });
  const all = words(bytes);
  expect(all[4]).toBe(221);
  const at = (address: number) => Buffer.from(bytes).subarray(address - 0x1000);
  expect(at(all[5]!).subarray(0, 7).toString()).toBe("/bin/x\0");
  const argv0 = Number(at(all[6]!).readBigInt64LE(0));
  expect(at(argv0).subarray(0, 2).toString()).toBe("x\0");
  expect(at(all[6]!).readBigInt64LE(8)).toBe(0n);
});

test("negative numbers, wide numbers and much memory", () => {
  const big = new Uint8Array(100_000).fill(5);
  const bytes = encode(
    [{ call: "write", args: [-100, { bytes: big, text: "" }, { words: [2n ** 64n - 1n], text: "" }] }],
    binding,
  );
  const all = words(bytes);
  expect(all[5]).toBe(-100);
  expect(bytes[all[6]! - 0x1000 + 99_999]).toBe(5);
  expect(new DataView(bytes.buffer).getBigInt64(all[7]! - 0x1000, true)).toBe(-1n);
});

const text = (bytes: Uint8Array, address: number): string => {
  const from = address - 0x1000;
  return Buffer.from(bytes.subarray(from, bytes.indexOf(0, from))).toString();
};

test("strings of any letters: each pointer is at its own", () => {
  const strings = ["plain", "", "größer", "雪", "😀 x", "\ud800", "last"];
  const bytes = encode(
    strings.map((one) => ({ call: "chdir", args: [one] }) as const),
    binding,
  );
  const all = words(bytes);
  expect(strings.map((_, i) => text(bytes, all[4 + i * 10 + 1]!))).toEqual(strings.map((one) => one.replace("\ud800", "\ufffd")));
});

test("a list that several steps share is written once, another one with the same words is another", () => {
  const list = { words: ["x", "größer", 0], text: "" };
  const twin = { words: ["x", "größer", 0], text: "" };
  const bytes = encode(
    [list, list, twin].map((argv) => ({ call: "execve", args: ["/x", argv, argv] }) as const),
    binding,
  );
  const all = words(bytes);
  const at = [0, 1, 2].map((i) => [all[4 + i * 10 + 2]!, all[4 + i * 10 + 3]!]);
  expect(at[1]).toEqual(at[0]!);
  expect(at[0]![0]).toBe(at[0]![1]!);
  expect(at[2]![0]).not.toBe(at[0]![0]);
  const second = Number(Buffer.from(bytes).readBigInt64LE(at[2]![0]! - 0x1000 + 8));
  expect(text(bytes, second)).toBe("größer");
});

test("a slot's number goes wherever it is named", () => {
  const slots = { words: [{ slot: "a" }, 5, { slot: "a" }], text: "" };
  const bytes = encode([{ call: "close", args: [{ slot: "a" }, slots, { slot: "a" }] }], binding);
  const all = words(bytes);
  expect([all[5], all[7]]).toEqual([11, 11]);
  expect([0, 8, 16].map((i) => Number(Buffer.from(bytes).readBigInt64LE(all[6]! - 0x1000 + i)))).toEqual([11, 5, 11]);
});

test("what cannot be encoded is refused", () => {
  expect(() => encode([{ call: "clone", args: [], jump: "nowhere" }], binding)).toThrow("nowhere");
  expect(() => encode([{ call: "chdir", args: ["a\0b"] }], binding)).toThrow("NUL");
});
