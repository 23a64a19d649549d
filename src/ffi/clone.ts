/** clone(2) for lab scripts: a child that makes the system calls it is given, one after the other. */

import { NsrunError } from "../errors.ts";
import type { SyscallName } from "./abi.ts";
import { CLONE } from "./flags.ts";
import { elfImage } from "./image.ts";
import { native, PLAN_ADDRESS } from "./native.ts";
import { encode, type RawArg, type RawStep, RECORD_AT } from "./program.ts";
import { bytes, failed, must, sys } from "./syscall.ts";
import { sealedFile, vexec } from "./vexec.ts";

/** A call of the child: its name and arguments. argv and envp: {@link argv}. */
export type ChildCall = readonly [SyscallName, ...RawArg[]];

/** A null-terminated array of strings, for execve(2). */
export const argv = (list: readonly string[]): RawArg => ({ words: [...list, 0], text: JSON.stringify(list) });

const SIGCHLD = 17;
const SPECIAL: Record<string, number> = { rec: PLAN_ADDRESS + RECORD_AT, pid: PLAN_ADDRESS + RECORD_AT + 4 };

/** The stage clones, says the pid and leaves; the child is ours (CLONE_PARENT) and resets its signals before `calls`. */
function program(flags: number, calls: readonly ChildCall[], socket: number): RawStep[] {
  const zeros = { bytes: new Uint8Array(32), text: "0" };
  const clone = flags | CLONE.CLONE_PARENT | CLONE.CLONE_PARENT_SETTID | SIGCHLD;
  return [
    { call: "reset_signals", args: [zeros] },
    { call: "clone", args: [clone, 0, { slot: "pid" }, 0, 0], jump: "parent" },
    { call: "rt_sigprocmask", args: [2, zeros, 0, 8] },
    { call: "fcntl", args: [socket, 2, 1] }, // F_SETFD, FD_CLOEXEC: the reader sees the end at exec
    ...calls.map(([call, ...args]) => ({ call, args })),
    { call: "exit_group", args: [0] },
    { call: "sendto", args: [socket, { slot: "rec" }, 16, 0x4000, 0, 0], mark: "parent" },
    { call: "exit_group", args: [0] },
  ];
}

/** The pid among the records on the socket: the child's own failure may have come before it. The stage has said all it had to say. */
function pidFrom(socket: number): number {
  const record = bytes(16);
  const view = new DataView(record.buffer);
  let errno = 0;
  while (sys("recvfrom", socket, record, 16, 0x40 /* MSG_DONTWAIT */, 0, 0) === 16) {
    if (view.getInt32(0, true) === 1) return view.getInt32(4, true);
    errno = view.getInt32(8, true);
  }
  throw errno === 0 ? new NsrunError("the clone's first process was killed") : failed(-errno, "clone");
}

/**
 * clone(2): a child process in new namespaces (`CLONE_NEW*` of {@link CLONE}) that makes `calls` in order and ends with the
 * first that fails (exit code 125), at an execve, or with code 0. Returns its pid, for {@link waitpid}. Blocks until the
 * child exists. Shell: `unshare -f …`.
 * @throws SyscallError when the clone itself fails, NsrunError otherwise
 */
export function clone(flags: number, calls: readonly ChildCall[]): number {
  const pair = bytes(8);
  const result = sys("socketpair", 1, 1 | 0x80000, 0, pair);
  if (result < 0) throw failed(result, "make a socket pair");
  const view = new DataView(pair.buffer);
  const [ours, theirs] = [view.getInt32(0, true), view.getInt32(4, true)];
  let file = -1;
  try {
    const steps = program(flags, calls, theirs);
    const segment = encode(steps, { address: PLAN_ADDRESS, socket: theirs, slot: (name) => SPECIAL[name] ?? 0 });
    file = sealedFile("nsrun-clone", elfImage(native().code, segment));
    const stage = vexec(file, ["nsrun-clone"], [theirs]);
    must("wait for the stage", "wait4", stage, null, 0, 0);
    return pidFrom(ours);
  } finally {
    for (const fd of [ours, theirs, file]) if (fd >= 0) sys("close", fd);
  }
}
