/** The parser of `nsrun run`. */
import { expect, test } from "bun:test";
import { runOptions } from "../../src/cmd/options.ts";
import { parseRun } from "../../src/cmd/parse.ts";
import { didYouMean } from "../../src/near.ts";

test("nothing after the first non-option is parsed, with or without --", () => {
  const expected = { options: { hostname: "a" }, command: ["ls", "--rootfs", "-v", "--"], help: false };
  expect(parseRun(["--hostname", "a", "ls", "--rootfs", "-v", "--"])).toEqual(expected);
  expect(parseRun(["--hostname", "a", "--", "ls", "--rootfs", "-v", "--"])).toEqual(expected);
  expect(parseRun(["--", "--help"])).toEqual({ options: {}, command: ["--help"], help: false });
});

test("values inline or after, repeated, short, switches and their negation", () => {
  const { options } = parseRun([
    "--rootfs=/r",
    "-v",
    "/a:/b",
    "-v/c:/d",
    "--volume=/e:/f",
    "--read-only",
    "--no-init",
    "-e",
    "A=1",
    "x",
  ]);
  expect(options).toEqual({
    rootfs: "/r",
    volume: ["/a:/b", "/c:/d", "/e:/f"],
    readOnly: true,
    init: false,
    env: ["A=1"],
  });
});

test.each([
  [["--nope"], "unknown option --nope"],
  [["-z"], "unknown option -z"],
  [["--rootfs"], "--rootfs needs a value: DIR|TAR|host"],
  [["--rw=yes", "x"], "--rw takes no value"],
  [["--ip", "10.0.0.2/24", "--ip=fd00::2/64", "x"], "--ip is given twice: 10.0.0.2/24 and fd00::2/64"],
  [["--host-ip=10.0.0.1/24", "--host-ip=10.0.0.1/24", "x"], "--host-ip is given twice: 10.0.0.1/24 and 10.0.0.1/24"],
  [["--gateway=none", "--gateway=10.0.0.1", "x"], "--gateway is given twice: none and 10.0.0.1"],
  [["--no-rootfs", "x"], "unknown option --no-rootfs"],
])("%p is refused: %s", (argv, message) => {
  expect(() => parseRun(argv)).toThrow(message);
});

test("a slip of the keys gets the name that was meant", () => {
  const names = runOptions().map((option) => option.name);
  expect(didYouMean("rotfs", names)).toBe("rootfs");
  expect(didYouMean("hostnmae", names)).toBe("hostname");
  expect(didYouMean("xyzzy", names)).toBeUndefined();
  expect(didYouMean("of", names)).toBeUndefined();
});

test("--plan has choices, only behind its own =", () => {
  expect(parseRun(["--plan", "json"])).toMatchObject({ options: { plan: "text" }, command: ["json"] });
  expect(parseRun(["--plan=json", "--timings=json", "--step"]).options).toEqual({ plan: "json", timings: "json", step: true });
  expect(() => parseRun(["--plan=jsn"])).toThrow("--plan=jsn: expected one of text verbose json sh mermaid oci");
});

test("-v is --volume, but behind --plan and before an option, -- or the end, where no volume can be, verbose", () => {
  expect(parseRun(["--plan", "-v", "--", "ls"]).options).toEqual({ plan: "text", verbose: true });
  expect(parseRun(["--plan", "-v", "--chroot"]).options).toEqual({ plan: "text", verbose: true, chroot: true });
  expect(parseRun(["--plan", "-v"]).options).toEqual({ plan: "text", verbose: true });
  expect(parseRun(["--plan", "-v", "/a:/b", "ls"]).options).toEqual({ plan: "text", volume: ["/a:/b"] });
  expect(() => parseRun(["-v"])).toThrow("--volume needs a value");
});
