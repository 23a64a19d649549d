/** What is read and said about a root that is hostile. */
import { expect, test } from "bun:test";
import { closeSync, mkdtempSync, openSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { explainExec, interpreter } from "../../src/container/explain.ts";
import { errorLines, NsrunError } from "../../src/errors.ts";

const ENOENT = 2;

/** A 64-bit ELF whose PT_INTERP is `name`. */
function elf(name: string): Uint8Array {
  const file = Buffer.alloc(64 + 56 + name.length + 1);
  file.write("\x7fELF", 0, "latin1");
  file.writeBigUInt64LE(64n, 32); // e_phoff
  file.writeUInt16LE(56, 54);
  file.writeUInt16LE(1, 56);
  file.writeUInt32LE(3, 64); // PT_INTERP
  file.writeBigUInt64LE(120n, 64 + 8);
  file.writeBigUInt64LE(BigInt(name.length + 1), 64 + 32);
  file.write(name, 120, "latin1");
  return file;
}

test("an interpreter's name ends with its first NUL", () => {
  expect(interpreter(elf("/lib/ld.so"))).toBe("/lib/ld.so");
  expect(interpreter(elf("/lib/ld\0.so"))).toBe("/lib/ld");
  expect(interpreter(Buffer.from("#! /bin/a\0b -x\n"))).toBe("/bin/a");
});

test("only regular files of the root are opened; links lead nowhere but inside", () => {
  const dir = mkdtempSync(join(tmpdir(), "nsrun-test-"));
  const outside = join(dir, "outside");
  writeFileSync(outside, elf("/none"));
  const root = join(dir, "root");
  Bun.spawnSync(["mkdir", root]);
  Bun.spawnSync(["mkfifo", join(root, "fifo")]);
  symlinkSync(outside, join(root, "absolute"));
  symlinkSync("../outside", join(root, "upwards"));
  symlinkSync("/proc/self/exe", join(root, "magic"));
  writeFileSync(join(root, "inside"), elf("/none"));
  const fd = openSync(root, "r");
  try {
    const words = (name: string) => explainExec({ root: fd, named: true, mounts: [], landlock: false }, `/${name}`, ENOENT);
    expect(words("inside")).toBe("/inside is there, but its interpreter /none is not in this root");
    for (const name of ["fifo", "absolute", "upwards", "magic", "none"]) expect(words(name)).toBeUndefined();
  } finally {
    closeSync(fd);
    rmSync(dir, { recursive: true });
  }
});

test("the limit of open files is known where there is none left to read it by", () => {
  const source = (path: string) => JSON.stringify(new URL(`../../src/${path}`, import.meta.url).pathname);
  const script = `
    const { openFilesHint } = await import(${source("container/causes.ts")});
    const { sys } = await import(${source("ffi/syscall.ts")});
    sys("prlimit64", 0, 7, new BigUint64Array([5n, 5n]), null);
    const hint = openFilesHint();
    sys("write", 1, hint, hint.length);`;
  expect(Bun.spawnSync([process.execPath, "-e", script]).stdout.toString()).toBe(
    "the limit of open files, 5, is reached: raise it with ulimit -n (as root: the hard limit is 5 too)",
  );
});

test("no control character of a hostile name reaches the terminal", () => {
  const error = new NsrunError("a\x1b]0;b\x07\nc", { hint: "d\x9b2J\r" });
  expect(errorLines(error, false)).toEqual(["nsrun: a\\x1b]0;b\\x07 c", "hint: d\\x9b2J\\x0d"]);
});
