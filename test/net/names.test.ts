import { expect, test } from "bun:test";
import { containerOf, hostIfname, ifalias, validateIfname } from "../../src/net/names.ts";

test("host names fit, are valid, recognisable and all different", () => {
  const names = Array.from({ length: 1000 }, () => hostIfname());
  for (const name of names) expect(validateIfname(name)).toMatch(/^nsr[0-9a-z]{12}$/);
  expect(new Set(names).size).toBe(1000);
});

test("the mark names its container, in at most 255 bytes", () => {
  expect(ifalias("web")).toBe("nsrun:web");
  expect(containerOf(ifalias("web"))).toBe("web");
  expect(containerOf("uplink to nsrun:web")).toBeUndefined();
  expect(containerOf(undefined)).toBeUndefined();
  expect(ifalias("é".repeat(124))).toHaveLength(6 + 124);
  expect(() => ifalias("é".repeat(125))).toThrow("longer than 249 bytes");
});

for (const name of [
  "",
  "a".repeat(16),
  "é".repeat(8),
  ".",
  "..",
  "all",
  "default",
  "a/b",
  "a b",
  "a\tb",
  "a:1",
  "eth%d",
  "a\0",
  "a\x1b",
])
  test(`${JSON.stringify(name)} is no interface name`, () =>
    expect(() => validateIfname(name, "--ifname")).toThrow(`--ifname ${JSON.stringify(name)}: `));
for (const name of ["eth0", "a".repeat(15), "br-lan.7", "é"])
  test(`${name} is an interface name`, () => expect(validateIfname(name)).toBe(name));
