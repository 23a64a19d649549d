/** nsrun/ffi as a lab script uses it. */
import { expect, test } from "bun:test";
import { argv, CLONE, clone, getpid, SyscallError, uname, unshare, waitpid } from "../../src/ffi/index.ts";

const root = process.getuid?.() === 0;
if (!root) console.log("skip: clone into new namespaces needs root");

test("uname says what the kernel says", () => {
  const witness = Bun.spawnSync(["uname", "-n", "-r", "-m"]).stdout.toString().trim();
  const { nodename, release, machine } = uname();
  expect(`${nodename} ${release} ${machine}`).toBe(witness);
  expect(getpid()).toBe(process.pid);
});

test("a refused call is an error with the errno's name", () => {
  expect(() => unshare(0x7fff)).toThrow(SyscallError);
  expect(() => unshare(1.5)).toThrow(RangeError);
  expect(() => waitpid(-1)).toThrow("Bun's own children");
});

test.skipIf(!root)("a cloned child is pid 1 in a namespace of its own and leaves ours alone", () => {
  const before = uname().nodename;
  const script = 'test $$ = 1 && test "$(hostname)" = lab && exit 9';
  const pid = clone(CLONE.CLONE_NEWPID | CLONE.CLONE_NEWUTS, [
    ["sethostname", "lab", 3],
    ["execve", "/bin/sh", argv(["sh", "-c", script]), argv(["PATH=/usr/bin:/bin"])],
  ]);
  expect(waitpid(pid)).toEqual({ code: 9, signal: null });
  expect(uname().nodename).toBe(before);
});

test.skipIf(!root)("a child whose call fails ends with 125 before the next one", () => {
  const pid = clone(0, [
    ["chdir", "/nonexistent"],
    ["exit_group", 7],
  ]);
  expect(waitpid(pid)).toEqual({ code: 125, signal: null });
});

test("flags that the kernel refuses are an error of clone", () => {
  expect(() => clone(0x800 /* CLONE_SIGHAND without CLONE_VM */, [])).toThrow("clone: EINVAL");
});
