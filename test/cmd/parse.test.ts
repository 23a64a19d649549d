/** The parser of `nsrun run`. */
import { expect, test } from "bun:test";
import { program } from "../../src/cmd/help.ts";
import { RUN_OPTIONS } from "../../src/cmd/options.ts";
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
  [["--no-rootfs", "x"], "unknown option --no-rootfs"],
])("%p is refused: %s", (argv, message) => {
  expect(() => parseRun(argv)).toThrow(message);
});

test("a slip of the keys gets the name that was meant", () => {
  const names = RUN_OPTIONS.map((option) => option.name);
  expect(didYouMean("rotfs", names)).toBe("rootfs");
  expect(didYouMean("hostnmae", names)).toBe("hostname");
  expect(didYouMean("xyzzy", names)).toBeUndefined();
});

test("the help names every option of the table, once", () => {
  const help =
    program()
      .commands.find((command) => command.name() === "run")
      ?.helpInformation() ?? "";
  for (const option of RUN_OPTIONS) {
    const long = `--${option.negative === true ? "no-" : ""}${option.name}`;
    expect(help.split(new RegExp(`${long}(?![a-z-])`)).length).toBe(2);
  }
});
