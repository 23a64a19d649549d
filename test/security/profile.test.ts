/** Docker's and OCI's JSON, by libseccomp's rules; what is misspelt is one clear line. */
import { describe, expect, test } from "bun:test";
import { unistd } from "../../src/ffi/unistd.ts";
import { AUDIT_ARCH } from "../../src/security/bpf.ts";
import { compile } from "../../src/security/compile.ts";
import { actionText, disassemble } from "../../src/security/disassemble.ts";
import { parseJson } from "../../src/security/json.ts";
import { type Context, profilePolicy } from "../../src/security/profile.ts";
import { run } from "./bpf.ts";

const CONTEXT: Context = { arch: "x64", capabilities: new Set(), kernel: "6.1.0-18-amd64" };

/** Asks the compiled profile: `ask("socket", 38n)` in words. */
function profile(value: unknown, context: Partial<Context> = {}) {
  const full = { ...CONTEXT, ...context };
  const { policy, ...rest } = profilePolicy(parseJson(JSON.stringify(value), "f"), full, "f");
  const program = compile(policy, full.arch);
  const ask = (name: string, ...args: bigint[]) =>
    actionText(run(program, { nr: unistd(full.arch).get(name)!, arch: AUDIT_ARCH[full.arch], args }).action);
  return { ask, ...rest };
}

const rule = (names: string[], action: string, more: object = {}) => ({ names, action, ...more });
const arg = (index: number, op: string, value: number, valueTwo?: number) => ({
  index,
  op,
  value,
  ...(valueTwo === undefined ? {} : { valueTwo }),
});
const ERRNO = { defaultAction: "SCMP_ACT_ERRNO" };

describe("as moby's default.json has it", () => {
  // the same shape, key by key: defaults, archMap, conditions, capabilities, architectures, kernels, null lists, comments
  const moby = {
    ...ERRNO,
    defaultErrnoRet: 1,
    archMap: [
      { architecture: "SCMP_ARCH_X86_64", subArchitectures: ["SCMP_ARCH_X86", "SCMP_ARCH_X32"] },
      { architecture: "SCMP_ARCH_RISCV64", subArchitectures: null },
    ],
    syscalls: [
      rule(["read", "write", "chown32", "_newselect"], "SCMP_ACT_ALLOW"),
      rule(["ptrace"], "SCMP_ACT_ALLOW", { includes: { minKernel: "4.8" } }),
      rule(["socket"], "SCMP_ACT_ALLOW", { args: [arg(0, "SCMP_CMP_LT", 12)] }),
      rule(["socket"], "SCMP_ACT_ALLOW", { args: [arg(0, "SCMP_CMP_EQ", 13)] }),
      rule(["personality"], "SCMP_ACT_ALLOW", { args: [arg(0, "SCMP_CMP_EQ", 4294967295)] }),
      rule(["arch_prctl"], "SCMP_ACT_ALLOW", { includes: { arches: ["amd64", "x32"] } }),
      rule(["mount", "clone", "clone3"], "SCMP_ACT_ALLOW", { includes: { caps: ["CAP_SYS_ADMIN"] } }),
      rule(["clone"], "SCMP_ACT_ALLOW", {
        args: [arg(0, "SCMP_CMP_MASKED_EQ", 2114060288)],
        excludes: { caps: ["CAP_SYS_ADMIN"], arches: ["s390", "s390x"] },
      }),
      rule(["clone"], "SCMP_ACT_ALLOW", {
        args: [arg(1, "SCMP_CMP_MASKED_EQ", 2114060288)],
        comment: "s390",
        includes: { arches: ["s390x"] },
      }),
      rule(["clone3"], "SCMP_ACT_ERRNO", { errnoRet: 38, excludes: { caps: ["CAP_SYS_ADMIN"] } }),
      rule(["mbind"], "SCMP_ACT_ALLOW", { args: null, includes: null, excludes: {}, comment: "" }),
    ],
  };
  const EPERM = "ERRNO(1 EPERM)";
  test("calls, conditions, masks", () => {
    const { ask, unknown, flags } = profile(moby);
    expect([ask("read"), ask("getpid"), ask("ptrace"), ask("mount"), ask("mbind")]).toEqual([
      "ALLOW",
      EPERM,
      "ALLOW",
      EPERM,
      "ALLOW",
    ]);
    expect([11n, 12n, 13n, 14n, 0x1_0000_0001n].map((family) => ask("socket", family))).toEqual([
      "ALLOW",
      EPERM,
      "ALLOW",
      EPERM,
      EPERM,
    ]);
    expect([0xffff_ffffn, 0xffff_ffff_ffff_ffffn].map((value) => ask("personality", value))).toEqual(["ALLOW", EPERM]);
    expect([17n, 0x10000011n, 0x1_0000_0011n].map((f) => ask("clone", f))).toEqual(["ALLOW", EPERM, "ALLOW"]);
    expect(ask("clone3")).toBe("ERRNO(38 ENOSYS)");
    expect({ unknown, flags }).toEqual({ unknown: [], flags: 0 });
  });
  test("capabilities, architectures, kernels", () => {
    const admin = profile(moby, { capabilities: new Set(["CAP_SYS_ADMIN"]) });
    expect([admin.ask("mount"), admin.ask("clone", 0x10000011n), admin.ask("clone3")]).toEqual(["ALLOW", "ALLOW", "ALLOW"]);
    expect(profile(moby).ask("arch_prctl")).toBe("ALLOW");
    expect(profile(moby, { kernel: "4.4.0" }).ask("ptrace")).toBe(EPERM);
    expect(profile(moby, { kernel: "4.19.3" }).ask("ptrace")).toBe("ALLOW");
    const arm = profile(moby, { arch: "arm64" });
    expect([arm.ask("read"), arm.ask("clone", 0x10000011n), arm.ask("clone", 17n)]).toEqual(["ALLOW", EPERM, "ALLOW"]);
  });
});

describe("OCI's linux.seccomp", () => {
  test("every action", () => {
    const actions = "KILL KILL_THREAD KILL_PROCESS TRAP ERRNO TRACE LOG ALLOW".split(" ");
    const words = "KILL_THREAD KILL_THREAD KILL_PROCESS TRAP ERRNO(1 EPERM) TRACE(1) LOG ALLOW";
    const names = "read write open close stat fstat lstat poll".split(" ");
    const { ask } = profile({
      defaultAction: "SCMP_ACT_ERRNO",
      defaultErrnoRet: 22,
      architectures: ["SCMP_ARCH_X86_64"],
      syscalls: actions.map((action, i) => rule([names[i]!], `SCMP_ACT_${action}`)),
    });
    expect(names.map((name) => ask(name)).join(" ")).toBe(words);
    expect(ask("getpid")).toBe("ERRNO(22 EINVAL)");
  });
  test("every comparison, of 64 bits", () => {
    const at = (op: string) =>
      profile({ ...ERRNO, syscalls: [rule(["read"], "SCMP_ACT_ALLOW", { args: [arg(2, op, 0x1_0000_0005)] })] });
    const values = [5n, 0x1_0000_0004n, 0x1_0000_0005n, 0x1_0000_0006n, 0x2_0000_0000n];
    const row = (op: string) => values.map((value) => (at(op).ask("read", 0n, 0n, value) === "ALLOW" ? "y" : "n")).join("");
    expect(["NE", "LT", "LE", "EQ", "GE", "GT"].map((op) => row(`SCMP_CMP_${op}`))).toEqual([
      "yynyy",
      "yynnn",
      "yyynn",
      "nnynn",
      "nnyyy",
      "nnnyy",
    ]);
  });
  test("conditions of one rule all hold; of one argument twice, either does, as with runc", () => {
    const both = profile({
      ...ERRNO,
      syscalls: [rule(["read"], "SCMP_ACT_ALLOW", { args: [arg(0, "SCMP_CMP_EQ", 1), arg(1, "SCMP_CMP_EQ", 2)] })],
    });
    expect([both.ask("read", 1n, 2n), both.ask("read", 1n, 3n), both.ask("read", 0n, 2n)]).toEqual([
      "ALLOW",
      "ERRNO(1 EPERM)",
      "ERRNO(1 EPERM)",
    ]);
    const either = profile({
      ...ERRNO,
      syscalls: [rule(["read"], "SCMP_ACT_ALLOW", { args: [arg(0, "SCMP_CMP_EQ", 1), arg(0, "SCMP_CMP_EQ", 2)] })],
    });
    expect([1n, 2n, 3n].map((value) => either.ask("read", value))).toEqual(["ALLOW", "ALLOW", "ERRNO(1 EPERM)"]);
  });
  test("a rule without conditions beats those with some, wherever it stands", () => {
    const some = rule(["read"], "SCMP_ACT_KILL_PROCESS", { args: [arg(0, "SCMP_CMP_EQ", 1)] });
    for (const syscalls of [
      [some, rule(["read"], "SCMP_ACT_ALLOW")],
      [rule(["read"], "SCMP_ACT_ALLOW"), some],
    ])
      expect(profile({ ...ERRNO, syscalls }).ask("read", 1n)).toBe("ALLOW");
  });
  test("a list of what is forbidden: calls that are not there are told", () => {
    const { ask, unknown } = profile({
      defaultAction: "SCMP_ACT_ALLOW",
      syscalls: [rule(["mount", "socketcall", "frobnicate"], "SCMP_ACT_ERRNO"), rule(["stime"], "SCMP_ACT_LOG")],
    });
    expect([ask("mount"), ask("read")]).toEqual(["ERRNO(1 EPERM)", "ALLOW"]);
    expect(unknown).toEqual(["socketcall", "frobnicate"]);
  });
  test("inside a whole config.json; errno by name as containers/common has it; flags; 64-bit numbers", () => {
    const config = {
      ociVersion: "1.0.2",
      linux: {
        seccomp: {
          ...ERRNO,
          defaultErrno: "ENOSYS",
          flags: ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"],
          syscalls: [rule(["mount"], "SCMP_ACT_ERRNO", { errno: "EACCES" })],
        },
      },
    };
    const { ask, flags } = profile(config);
    expect([ask("read"), ask("mount"), flags]).toEqual(["ERRNO(38 ENOSYS)", "ERRNO(13 EACCES)", 6]);
    const text = `{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"op":"SCMP_CMP_EQ","value":18446744073709551615}]}]}`;
    const { policy } = profilePolicy(parseJson(text, "f"), CONTEXT, "f");
    const program = compile(policy, "x64");
    const answer = (value: bigint) => actionText(run(program, { nr: 0, arch: AUDIT_ARCH.x64, args: [value] }).action);
    expect([answer(0xffff_ffff_ffff_ffffn), answer(0xffff_ffff_ffff_f800n)]).toEqual(["ALLOW", "ERRNO(1 EPERM)"]);
  });
});

describe("what is wrong is said with its place", () => {
  const one = (more: object) => ({ ...ERRNO, syscalls: [{ names: ["read"], action: "SCMP_ACT_ALLOW", ...more }] });
  const WRONG: [unknown, RegExp][] = [
    [[], /^f: expected an object$/],
    [{}, /^f\.defaultAction: unknown action undefined/],
    [{ defaultAction: "SCMP_ACT_NOTIFY" }, /^f\.defaultAction: SCMP_ACT_NOTIFY needs a listener/],
    [{ defaultAction: "toString" }, /^f\.defaultAction: unknown action "toString"/],
    [{ ...ERRNO, syscals: [] }, /^f: unknown key "syscals"/],
    [{ ...ERRNO, syscalls: {} }, /^f\.syscalls: expected an array$/],
    [{ ...ERRNO, defaultErrnoRet: 70000 }, /^f\.errnoRet: expected a whole number from 0 to 65535$/],
    [{ ...ERRNO, defaultErrno: "EWHAT" }, /^f\.errno: no such errno: EWHAT$/],
    [{ ...ERRNO, flags: ["SECCOMP_FILTER_FLAG_NEW_LISTENER"] }, /^f\.flags: unknown flag SECCOMP_FILTER_FLAG_NEW_LISTENER/],
    [one({ arg: [] }), /^f\.syscalls\[0\]: unknown key "arg"/],
    [one({ names: [] }), /^f\.syscalls\[0\]: names no system call$/],
    [one({ names: [1] }), /^f\.syscalls\[0\]\.names: expected strings$/],
    [
      one({ args: [{ index: 6, op: "SCMP_CMP_EQ", value: 0 }] }),
      /^f\.syscalls\[0\]\.args\[0\]\.index: expected a whole number from 0 to 5$/,
    ],
    [
      one({ args: [{ index: 0, op: "SCMP_CMP_ABOUT", value: 0 }] }),
      /^f\.syscalls\[0\]\.args\[0\]\.op: unknown comparison "SCMP_CMP_ABOUT"/,
    ],
    [one({ args: [{ index: 0, op: "SCMP_CMP_EQ", value: -1 }] }), /^f\.syscalls\[0\]\.args\[0\]\.value: expected a whole number/],
    [one({ includes: { minKernel: "new" } }), /^f\.syscalls\[0\]\.includes\.minKernel: no kernel version: new$/],
    [one({ includes: { cap: [] } }), /^f\.syscalls\[0\]\.includes: unknown key "cap"/],
  ];
  test.each(WRONG)("%j", (value, message) => expect(() => profile(value)).toThrow(message));
  test("no JSON", () => expect(() => parseJson("{", "f")).toThrow(/^f: no JSON: /));
});

test("a filter in words", () => {
  const { policy } = profilePolicy(
    { ...ERRNO, syscalls: [rule(["write"], "SCMP_ACT_ALLOW", { args: [arg(0, "SCMP_CMP_EQ", 1)] })] },
    CONTEXT,
    "f",
  );
  expect(disassemble(compile(policy, "x64"), "x64")).toEqual([
    "   0: ld  arch",
    "   1: jeq 0xc000003e -> 3 else 2  ; AUDIT_ARCH_X86_64",
    "   2: ret KILL_PROCESS",
    "   3: ld  nr",
    "   4: jge 0x2 -> 13 else 5  ; open",
    "   5: jge 0x1 -> 7 else 6  ; write",
    "   6: ret ERRNO(1 EPERM)",
    "   7: ld  arg0.high",
    "   8: jeq 0x0 -> 9 else 12",
    "   9: ld  arg0",
    "  10: jeq 0x1 -> 11 else 12",
    "  11: ret ALLOW",
    "  12: ret ERRNO(1 EPERM)",
    "  13: jge 0x40000000 -> 15 else 14",
    "  14: ret ERRNO(1 EPERM)",
    "  15: jge 0xffffffff -> 17 else 16",
    "  16: ret KILL_PROCESS",
    "  17: ret ALLOW",
  ]);
});
