/** clone(2) for lab scripts: a child that makes the system calls it is given, one after the other. */

import { NsrunError } from "../errors.ts";
import { type SyscallName, syscallNumber } from "./abi.ts";
import { AT_FDCWD, CLONE, O } from "./flags.ts";
import { elfImage } from "./image.ts";
import { waitpid } from "./libc.ts";
import { native, PLAN_ADDRESS } from "./native.ts";
import { encode, type RawArg, type RawStep, RECORD_AT, type Register } from "./program.ts";
import { bytes, failed, must, sys } from "./syscall.ts";
import { cloneCall, sealedFile, vexec } from "./vexec.ts";

/** A call of the child: its name and arguments. argv and envp: {@link argv}. */
export type ChildCall = readonly [SyscallName, ...RawArg[]];

/** A call whose result {@link observe} wants, whatever it is: a failure does not end the child. */
export const ask = (...[call, ...args]: ChildCall): RawStep => ({ call, args, tell: true });

/** A call whose result the calls after it may have as {@link RESULT}: a descriptor, mostly. */
export const keep = (...[call, ...args]: ChildCall): RawStep => ({ call, args, store: true });
export const RESULT: Register = { reg: true };

/** A null-terminated array of strings, for execve(2). */
export const argv = (list: readonly string[]): RawArg => ({ words: [...list, 0], text: JSON.stringify(list) });

const SIGCHLD = 17;
const SPECIAL: Record<string, number> = { rec: PLAN_ADDRESS + RECORD_AT, pid: PLAN_ADDRESS + RECORD_AT + 4 };

/** Steps before the caller's own. */
const BEFORE = 4;

const isCall = (call: ChildCall | RawStep): call is ChildCall => Array.isArray(call);
const asStep = (call: ChildCall | RawStep): RawStep => (isCall(call) ? { call: call[0], args: call.slice(1) as RawArg[] } : call);

/** The stage clones, says the pid and leaves; the child is ours (CLONE_PARENT) and resets its signals before `calls`. */
function program(flags: number, calls: readonly RawStep[], socket: number): RawStep[] {
  const zeros = { bytes: new Uint8Array(32), text: "0" };
  const clone = flags | CLONE.CLONE_PARENT | CLONE.CLONE_PARENT_SETTID | SIGCHLD;
  return [
    { call: "reset_signals", args: [zeros] },
    { call: "clone", args: [clone, 0, { slot: "pid" }, 0, 0], jump: "parent" },
    { call: "rt_sigprocmask", args: [2, zeros, 0, 8] },
    { call: "fcntl", args: [socket, 2, 1] }, // F_SETFD, FD_CLOEXEC: the reader sees the end at exec
    ...calls,
    { call: "exit_group", args: [0] },
    { call: "sendto", args: [socket, { slot: "rec" }, 16, 0x4000, 0, 0], mark: "parent", soft: true }, // nothing to watch behind it
    { call: "exit_group", args: [0] },
  ];
}

const RECORD = { pid: 1, failed: 2, told: 7 } as const;
const MSG_DONTWAIT = 0x40;
const EINTR = 4;

/** What the child and the stage say over the socket, as it comes: told results and the failure may come before the pid. */
class Records {
  pid = 0;
  /** By step. */
  readonly told = new Map<number, number>();
  failure: { readonly step: number; readonly errno: number } | undefined;

  constructor(readonly socket: number) {}

  /** Reads until `enough`, or the end; with MSG_DONTWAIT what is there. */
  read(flags: number, enough: () => boolean = () => false): this {
    const record = bytes(16);
    const view = new DataView(record.buffer);
    while (!enough()) {
      const length = sys("recvfrom", this.socket, record, 16, flags, 0, 0);
      if (length === -EINTR) continue;
      if (length !== 16) break;
      const [kind, a, b] = [view.getInt32(0, true), view.getInt32(4, true), view.getInt32(8, true)];
      if (kind === RECORD.pid) this.pid = a;
      else if (kind === RECORD.told) this.told.set(a, b);
      else if (kind === RECORD.failed) this.failure = { step: a, errno: b };
    }
    return this;
  }
}

/** Starts the child; returns when it exists. `ours` of the socket is the caller's to close. */
function begin(flags: number, calls: readonly (ChildCall | RawStep)[]): { records: Records; steps: readonly RawStep[] } {
  const pair = bytes(8);
  const result = sys("socketpair", 1, 1 | 0x80000, 0, pair);
  if (result < 0) throw failed(result, "make a socket pair");
  const view = new DataView(pair.buffer);
  const [ours, theirs] = [view.getInt32(0, true), view.getInt32(4, true)];
  const records = new Records(ours);
  let file = -1;
  try {
    const steps = program(flags, calls.map(asStep), theirs);
    const segment = encode(steps, { address: PLAN_ADDRESS, socket: theirs, slot: (name) => SPECIAL[name] ?? 0 });
    file = sealedFile("nsrun-clone", elfImage(native().code, segment));
    const stage = vexec(file, ["nsrun-clone"], [theirs]);
    must("wait for the stage", "wait4", stage, null, 0, 0);
    // the stage has said all it had to say; the child's own words may be among it
    if (records.read(MSG_DONTWAIT, () => records.pid > 0).pid === 0) {
      const { failure } = records;
      throw failure ? failed(-failure.errno, "clone") : new NsrunError("the clone's first process was killed");
    }
    return { records, steps };
  } catch (error) {
    sys("close", ours);
    throw error;
  } finally {
    for (const fd of [theirs, file]) if (fd >= 0) sys("close", fd);
  }
}

/**
 * clone(2): a child process in new namespaces (`CLONE_NEW*` of {@link CLONE}) that makes `calls` in order and ends with the
 * first that fails (exit code 125), at an execve, or with code 0. Returns its pid, for {@link waitpid}. Blocks until the
 * child exists. Shell: `unshare -f …`.
 * @throws SyscallError when the clone itself fails, NsrunError otherwise
 */
export function clone(flags: number, calls: readonly (ChildCall | RawStep)[]): number {
  const { records } = begin(flags, calls);
  sys("close", records.socket);
  return records.pid;
}

/** What a child of {@link observe} did. */
export interface Observed {
  readonly pid: number;
  /** Its exit code, or 128+n with `signal` n. */
  readonly code: number;
  readonly signal: number | null;
  /** The results of the calls that were asked for with {@link ask}, in order; -errno for a failure. Fewer, if it ended before. */
  readonly answers: readonly number[];
}

/**
 * {@link clone} and {@link waitpid} in one, which tells what the kernel answered the child. Blocks until the child has ended,
 * and its namespaces with it. Shell: `strace -f unshare -f …`.
 * @throws SyscallError when the clone fails, or a call of the child that was not asked for with {@link ask}
 */
export function observe(flags: number, calls: readonly (ChildCall | RawStep)[]): Observed {
  const { records, steps } = begin(flags, calls);
  records.read(0);
  sys("close", records.socket);
  const { code, signal } = waitpid(records.pid)!;
  const { failure, told, pid } = records;
  if (failure) throw failed(-failure.errno, `call ${failure.step - BEFORE + 1} of the child, ${steps[failure.step]!.call}`);
  return { pid, code, signal, answers: [...told.keys()].sort((a, b) => a - b).map((step) => told.get(step)!) };
}

/**
 * clone(2) of this very process, without a new program: the child makes one call of at most five numbers, writes the result to a
 * word of memory, and ends. `word` is what that word holds for us then: the child's number with CLONE_VM, for the memory is
 * one; 0 without (fork), for the child has a copy. Blocks until the child's end (CLONE_VFORK is always added).
 * @throws SyscallError when the clone fails
 */
export function cloneHere(flags: number, name: SyscallName, ...args: number[]): { pid: number; word: number } {
  const { pid, result } = cloneCall(flags | CLONE.CLONE_VFORK | SIGCHLD, [syscallNumber(name), ...args]);
  if (pid < 0) throw failed(pid, "clone");
  must(`wait for ${pid}`, "wait4", pid, null, 0, 0);
  return { pid, word: result };
}

/**
 * The calls by which the first process of a new user namespace becomes root in it, as `unshare -r` does: its own two ids are
 * mapped to 0 (user_namespaces(7)). `uid` and `gid`: the caller's effective ids, outside.
 */
export function mapRoot(uid: number = sys("geteuid"), gid: number = sys("getegid")): RawStep[] {
  const write = (file: string, text: string): RawStep[] => [
    keep("openat", AT_FDCWD, `/proc/self/${file}`, O.O_WRONLY, 0),
    { call: "write", args: [RESULT, text, text.length], exact: true },
  ];
  const ids = ["setresgid", "setresuid"] as const;
  return [
    ...write("setgroups", "deny"),
    ...write("uid_map", `0 ${uid} 1`),
    ...write("gid_map", `0 ${gid} 1`),
    ...ids.map((call): RawStep => ({ call, args: [0, 0, 0] })),
  ];
}
