/** The machine code: position independent, closed in itself, and the same from one compile to the next. */
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { elfImage } from "../../src/ffi/image.ts";
import { native, PLAN_ADDRESS, PLAN_OFFSET } from "../../src/ffi/native.ts";
import { encode } from "../../src/ffi/program.ts";
import { sys } from "../../src/ffi/syscall.ts";

const objdump = Bun.which("objdump");

test("the code fits in front of the plan", () => {
  expect(native().code.length).toBeGreaterThan(1000);
  expect(native().code.length + 232).toBeLessThanOrEqual(PLAN_OFFSET);
});

test("a raw system call gives the kernel's answer, and -errno without touching errno", () => {
  expect(sys("getpid")).toBe(process.pid);
  expect(sys("openat", -100, "/nonexistent/file", 0, 0)).toBe(-2);
  expect(sys("close", 123456)).toBe(-9);
});

test.skipIf(!objdump || process.arch !== "x64")("no call leaves the code and no instruction reads data beside it", () => {
  const dir = mkdtempSync(join(tmpdir(), "nsrun-code-"));
  try {
    writeFileSync(join(dir, "code"), native().code);
    const out = Bun.spawnSync([objdump as string, "-D", "-b", "binary", "-mi386:x86-64", join(dir, "code")]).stdout.toString();
    const targets = [...out.matchAll(/\b(?:call|jmp|j[a-z]+)\s+0x([0-9a-f]+)/g)].map((m) => Number.parseInt(m[1] as string, 16));
    expect(targets.length).toBeGreaterThan(20);
    expect(targets.filter((target) => target >= native().code.length)).toEqual([]);
    expect(out).not.toMatch(/\(%rip\)/);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test("the ELF runs alone: it writes and exits with what its list says", () => {
  const dir = mkdtempSync(join(tmpdir(), "nsrun-elf-"));
  try {
    const hello = Buffer.from("hello from the list\n");
    const plan = encode(
      [
        { call: "write", args: [1, { bytes: hello, text: "hello" }, hello.length], exact: true },
        { call: "exit_group", args: [42] },
      ],
      { address: PLAN_ADDRESS, socket: -1, slot: () => 0 },
    );
    writeFileSync(join(dir, "alone"), elfImage(native().code, plan), { mode: 0o755 });
    const run = Bun.spawnSync([join(dir, "alone")]);
    expect({ code: run.exitCode, out: run.stdout.toString() }).toEqual({ code: 42, out: "hello from the list\n" });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test("a failing step ends the program: what comes after it never runs", () => {
  const dir = mkdtempSync(join(tmpdir(), "nsrun-elf-"));
  try {
    const plan = encode(
      [
        { call: "chdir", args: ["/nonexistent"] },
        { call: "exit_group", args: [42] },
      ],
      { address: PLAN_ADDRESS, socket: -1, slot: () => 0 },
    );
    writeFileSync(join(dir, "fails"), elfImage(native().code, plan), { mode: 0o755 });
    expect(Bun.spawnSync([join(dir, "fails")]).exitCode).toBe(125);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
