/** A filter of five instructions, made by hand: seccomp(2). */

import { type SyscallName, syscallNumber } from "../ffi/abi.ts";
import { AT_FDCWD, PR } from "../ffi/flags.ts";
import type { RawArg } from "../ffi/program.ts";
import { answer, asked, child, memory, watch } from "./child.ts";
import * as code from "./code/seccomp.ts" with { type: "text" };
import type { Lab, Lesson } from "./lesson.ts";

/** linux/prctl.h, linux/seccomp.h */
const [PR_GET_SECCOMP, PR_SET_SECCOMP, MODE_FILTER] = [21, 22, 2];
const [RET_KILL_PROCESS, RET_ERRNO, RET_ALLOW] = [0x80000000, 0x00050000, 0x7fff0000];
/** linux/bpf_common.h: load a word, jump if equal, return a constant. */
const [LD_W_ABS, JEQ_K, RET_K] = [0x20, 0x15, 0x06];
const EPERM = 1;

/** struct sock_filter, 8 bytes each: code, where to go if true, if false, k. */
function program(...instructions: readonly (readonly [code: number, yes: number, no: number, k: number])[]): Uint8Array {
  const bytes = new Uint8Array(instructions.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [i, [code, yes, no, k]] of instructions.entries()) {
    view.setUint16(i * 8, code, true);
    bytes.set([yes, no], i * 8 + 2);
    view.setUint32(i * 8 + 4, k, true);
  }
  return bytes;
}

/** struct sock_fprog: the two calls end as `verdict` says, all others are allowed. */
function filter(first: SyscallName, second: SyscallName, verdict: number): RawArg {
  const bytes = program(
    [LD_W_ABS, 0, 0, 0], // the call's number: offset 0 of struct seccomp_data
    [JEQ_K, 2, 0, syscallNumber(first)],
    [JEQ_K, 1, 0, syscallNumber(second)],
    [RET_K, 0, 0, RET_ALLOW],
    [RET_K, 0, 0, verdict],
  );
  return {
    words: [bytes.length / 8, memory(bytes, "filter") as { bytes: Uint8Array; text: string }],
    text: `{len=5, ${first} and ${second}}`,
  };
}

const install = (verdict: number) => [
  asked("give up setuid programs: else a filter takes CAP_SYS_ADMIN", "prctl", PR.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
  asked("install the filter", "prctl", PR_SET_SECCOMP, MODE_FILTER, filter("uname", "mkdirat", verdict), 0, 0),
];
const uname = asked("call uname", "uname", memory(new Uint8Array(390), "names"));

const refusing = () =>
  child("a child that may not call uname and mkdirat any more", 0, [
    uname,
    ...install(RET_ERRNO | EPERM),
    uname,
    asked("call mkdirat", "mkdirat", AT_FDCWD, "/proc/nothing", 0o755),
    asked("call something else", "getppid"),
    asked("is there a filter?", "prctl", PR_GET_SECCOMP, 0, 0, 0, 0),
    asked("remove it", "prctl", PR_SET_SECCOMP, 0, 0, 0, 0),
  ]);
const killing = () => child("a child that dies of them", 0, [...install(RET_KILL_PROCESS), uname]);

export const seccomp: Lesson = {
  name: "seccomp",
  title: "five instructions decide over every system call",
  will: [
    "a child installs a filter: load the call's number; is it uname? is it mkdirat? allow; refuse with EPERM",
    "it calls uname before and after, mkdirat, and something else",
    "another child does so with a filter that kills instead of refusing",
  ],
  plans: () => [refusing(), killing()],
  code,
  needsNamespaces: false,
  run(lab: Lab) {
    const [before, , , after, mkdir, parent, mode, off] = watch(refusing()).answers;
    lab.see("uname() before", "0", answer(before));
    lab.see("uname() with the filter", "EPERM (operation not permitted)", answer(after));
    lab.see("mkdirat() with the filter", "EPERM (operation not permitted)", answer(mkdir));
    lab.see("getppid(), of which the filter says nothing", String(process.pid), answer(parent));
    lab.see("prctl(PR_GET_SECCOMP): filtered", "2", answer(mode));
    lab.see("prctl(PR_SET_SECCOMP, off): there is no way back", "EINVAL (invalid argument)", answer(off));
    const killed = watch(killing());
    lab.see(
      "uname() with a filter that kills",
      "signal 31 (SIGSYS)",
      killed.signal === 31 ? "signal 31 (SIGSYS)" : `code ${killed.code}`,
    );
  },
};
