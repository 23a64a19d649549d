/** Rules become masks, for every version of the kernel's interface: no root, no kernel. Bits by linux/landlock.h. */
import { expect, test } from "bun:test";
import { type NsrunError, UsageError } from "../../src/errors.ts";
import { landlockRuleset } from "../../src/security/landlock.ts";

const NEWEST = 7;
const rulesetOf = (texts: string[], alone = false, abi = NEWEST) => landlockRuleset(texts, alone, abi).ruleset;

/** handled_access_fs, handled_access_net, scoped by version: the kernel's security/landlock/limits.h of each release. */
const KNOWN: readonly (readonly [abi: number, fs: number, net: number, scoped: number])[] = [
  [1, 0x1fff, 0, 0],
  [2, 0x3fff, 0, 0],
  [3, 0x7fff, 0, 0],
  [4, 0x7fff, 3, 0],
  [5, 0xffff, 3, 0],
  [6, 0xffff, 3, 3],
  [7, 0xffff, 3, 3],
  [12, 0xffff, 3, 3],
];

for (const [abi, fs, net, scoped] of KNOWN) {
  test(`ABI ${abi}: everything that this kernel knows is handled, and nothing that it does not`, () => {
    const rules = ["rwx:/", "connect:1", "bind:2", "scope:all", "optional:all"];
    expect(rulesetOf(rules, false, abi)).toMatchObject({ fs, net, scoped });
    expect(rulesetOf(["ro:/", "optional:all"], true, abi)).toMatchObject({ fs, net, scoped, alone: true });
  });
}

test("the words and their rights", () => {
  const access = (word: string) => rulesetOf([`${word}:/x`])?.paths.map((path) => [path.access, path.onFile])[0];
  expect(access("ro")).toEqual([0b1100, 0b100]);
  expect(access("rx")).toEqual([0b1101, 0b101]);
  expect(access("rw")).toEqual([0x7fbe & ~0x840, 0x4006]); // all but execute, make-char, make-block, ioctl-dev
  expect(access("rwx")).toEqual([0x7fbf & ~0x840, 0x4007]);
  expect(access("dev")).toEqual([0x800e, 0x8006]);
  expect(access("execute,make-char")).toEqual([0x41, 1]);
  expect(access("read-dir")).toEqual([8, 0]);
});

test("a rule for paths restricts files only, one for a port that kind only; a port may be given in several rules", () => {
  expect(rulesetOf(["ro:/usr"])).toMatchObject({ fs: 0xffff, net: 0, scoped: 0, ports: [], alone: false });
  expect(rulesetOf(["connect:80,443", "connect:22"])).toMatchObject({
    fs: 0,
    net: 2,
    paths: [],
    ports: [80, 443, 22].map((port) => ({ port, access: 2, text: "connect" })),
  });
  expect(rulesetOf(["bind:none"])).toMatchObject({ net: 1, ports: [] });
  expect(rulesetOf(["scope:signal"])).toMatchObject({ fs: 0, net: 0, scoped: 2 });
});

test("alone, everything is restricted but what a rule sets free", () => {
  expect(rulesetOf(["ro:/"], true)).toMatchObject({ fs: 0xffff, net: 3, scoped: 3 });
  expect(rulesetOf(["ro:/", "connect:any"], true)).toMatchObject({ net: 1, scoped: 3 });
  expect(rulesetOf(["ro:/", "scope:none"], true)).toMatchObject({ net: 3, scoped: 0 });
  expect(rulesetOf(["ro:/", "scope:signal"], true)).toMatchObject({ scoped: 2 });
  expect(rulesetOf(["bind:0"], true)).toMatchObject({ fs: 0xffff, paths: [], ports: [{ port: 0, access: 1, text: "bind" }] });
});

test("what the kernel cannot restrict is an error, unless that very right is optional; what is left free is named", () => {
  const refuse = (rules: string[], alone: boolean, abi: number) => {
    try {
      return landlockRuleset(rules, alone, abi);
    } catch (error) {
      return `${(error as Error).message} | ${(error as NsrunError).hint}`;
    }
  };
  expect(refuse(["ro:/"], false, 2)).toBe(
    "--landlock: this kernel (ABI 2) cannot restrict truncate, ioctl-dev | --landlock optional:truncate,ioctl-dev leaves them free where the kernel cannot do it",
  );
  expect(refuse(["ro:/", "optional:truncate"], false, 2)).toStartWith(
    "--landlock: this kernel (ABI 2) cannot restrict ioctl-dev |",
  );
  expect(refuse(["ro:/", "optional:truncate,ioctl-dev"], false, 2)).toMatchObject({ left: ["truncate", "ioctl-dev"] });
  expect(refuse(["connect:443"], false, 3)).toStartWith("--landlock: this kernel (ABI 3) cannot restrict connect |");
  expect(refuse(["ro:/"], true, 5)).toStartWith("--landlock: this kernel (ABI 5) cannot restrict abstract-unix-socket, signal |");
  expect(refuse(["ro:/", "optional:all"], false, -38)).toMatchObject({ ruleset: undefined });
  expect(refuse(["ro:/", "optional:all"], true, -38)).toStartWith("--landlock: this kernel has no Landlock (ENOSYS) |");
  expect(refuse(["ro:/"], false, -95)).toBe(
    "--landlock: this kernel has no Landlock (EOPNOTSUPP) | Landlock is built in but not switched on: add landlock to the kernel's parameter lsm=",
  );
});

test("where nothing is left that the kernel could restrict there is no ruleset", () => {
  expect(landlockRuleset(["scope:signal", "optional:signal"], false, 5)).toEqual({ ruleset: undefined, left: ["signal"] });
  expect(landlockRuleset(["connect:1", "optional:all"], false, 3)).toEqual({ ruleset: undefined, left: ["connect"] });
});

test("a rule that is none is a usage error with its own words", () => {
  const bad = [
    ["", "expected ro|rx"],
    ["ro", "expected ro|rx"],
    ["ro:", "expected ro|rx"],
    [":/x", "expected ro|rx"],
    ["ro:usr", "expected an absolute path"],
    ["zz:/x", 'unknown access "zz" (known: ro rx rw'],
    ["ro,:/x", 'unknown access "" (known'],
    ["__proto__:/x", 'unknown access "__proto__"'],
    ["constructor:/x", 'unknown access "constructor"'],
    ["connect:65536", "expected ports from 0 to 65535"],
    ["connect:080", "expected ports"],
    ["connect:1,", "expected ports"],
    ["connect:-1", "expected ports"],
    ["connect:0x1f", "expected ports"],
    ["scope:x", 'unknown scope "x" (known: abstract-unix-socket signal all none)'],
    ["optional:x", 'unknown right "x" (known: execute'],
  ] as const;
  for (const [text, why] of bad) {
    let error: unknown;
    try {
      landlockRuleset([text], false, NEWEST);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(UsageError);
    expect((error as Error).message).toStartWith(`--landlock ${text}: ${why}`);
  }
  expect(() => landlockRuleset(["connect:any", "connect:1"], false, NEWEST)).toThrow("contradicts connect:any");
  expect(() => landlockRuleset(["connect:1", "connect:any"], false, NEWEST)).toThrow("contradicts another connect rule");
  expect(() => landlockRuleset(["scope:none"], false, NEWEST)).toThrow("the rules restrict nothing");
});
