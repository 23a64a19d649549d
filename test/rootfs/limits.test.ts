/** Limits as they are written. */
import { expect, test } from "bun:test";
import { runOptions } from "../../src/cmd/options.ts";
import { askedLimits, LIMIT_OPTIONS, LIMITS, parseSize } from "../../src/rootfs/limits.ts";

test.each([
  ["1", 1],
  ["10k", 10240],
  ["3M", 3 << 20],
  ["2g", 2 ** 31],
  ["1T", 2 ** 40],
])("%s is %d bytes", (text, bytes) => expect(parseSize(text, "--max-size")).toBe(bytes));

test.each(["", "0", "-1", "1.5g", "1kb", "k", "1 k", "0x10", "1e9", "99999999999999t", "١"])("%p is refused", (text) => {
  expect(() => parseSize(text, "--max-size")).toThrow(`--max-size ${text}: expected a number of bytes above 0`);
});

test("only what was asked for; numbers as well as texts", () => {
  expect(askedLimits({})).toEqual({});
  expect(askedLimits({ maxSize: 5, maxEntries: "7", maxDepth: undefined })).toEqual({ maxBytes: 5, maxEntries: 7 });
  expect(() => askedLimits({ maxDepth: "1k" })).toThrow("--max-depth 1k: expected a number above 0");
  expect(() => askedLimits({ maxRatio: 0 })).toThrow("--max-ratio 0: expected a number above 0");
});

test("every limit has an option, and the help says the true default", () => {
  expect(LIMIT_OPTIONS.map((row) => row[1]).sort()).toEqual(Object.keys(LIMITS).sort() as never);
  for (const [, limit, name] of LIMIT_OPTIONS) {
    const help = runOptions().find((option) => option.name === name)?.help ?? "";
    const said = /default (\w+)$/.exec(help)?.[1] ?? "";
    expect(parseSize(said, name), name).toBe(LIMITS[limit]);
  }
});
