/** clone() with answers: what the kernel told the child; fork against shared memory. No root: plain processes only. */
import { expect, test } from "bun:test";
import { ask, CLONE, clone, cloneHere, keep, observe, RESULT, SyscallError, waitpid } from "../../src/ffi/index.ts";

test("the results of the calls asked for come back in order, failures as -errno", () => {
  const { pid, ...rest } = observe(0, [ask("getpid"), ["getuid"], ask("chdir", "/nonexistent"), ask("getppid")]);
  expect(rest).toEqual({ code: 0, signal: null, answers: [pid, -2, process.pid] });
});

test("a call that was not asked for ends the child when it fails; the error names it", () => {
  const failing = () => observe(0, [ask("getpid"), ["chdir", "/nonexistent"], ["exit_group", 3]]);
  expect(failing).toThrow(new SyscallError("call 2 of the child, chdir", 2, "ENOENT", "no such file or directory"));
});

test("what is kept is the argument of the next calls", () => {
  const { answers } = observe(0, [
    keep("openat", -100, "/", 0, 0),
    ask("fchdir", RESULT),
    ["close", RESULT],
    ask("fchdir", RESULT),
  ]);
  expect(answers).toEqual([0, -9]);
});

test("exit codes and signals", () => {
  expect(observe(0, [["exit_group", 7]])).toMatchObject({ code: 7, signal: null, answers: [] });
  expect(waitpid(clone(0, [["exit_group", 9]]))).toEqual({ code: 9, signal: null });
});

test("fork copies the memory, CLONE_VM shares it", () => {
  expect(cloneHere(0, "getpid").word).toBe(0);
  const { pid, word } = cloneHere(CLONE.CLONE_VM, "getpid");
  expect(word).toBe(pid);
  expect(cloneHere(CLONE.CLONE_VM, "close", 123456).word).toBe(-9);
});
