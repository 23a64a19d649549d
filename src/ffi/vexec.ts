/** Starting a sealed ELF from Bun: one stackless clone(CLONE_VM|CLONE_VFORK) whose child makes a single call, execveat. */

import { syscallNumber } from "./abi.ts";
import { CLONE } from "./flags.ts";
import { native } from "./native.ts";
import { addressOf, bytes, failed, must, sys } from "./syscall.ts";
import { writeText } from "./text.ts";
import { set64 } from "./words.ts";

const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
const MFD_EXEC = 0x10;
const F_ADD_SEALS = 1033;
const SEALS = 0xf; // seal, shrink, grow, write: fcntl(2)
const SEALS_EXEC = SEALS | 0x20; // from 6.3 on
const SIGCHLD = 17;
const SIG_SETMASK = 2;

const EINVAL = -22;
const EACCES = -13;

/** A file in memory that holds `image`, can be executed and no longer changed. */
export function sealedFile(name: string, image: Uint8Array): number {
  const flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  let fd = sys("memfd_create", name, flags | MFD_EXEC);
  if (fd === EINVAL) fd = sys("memfd_create", name, flags); // before 6.3
  if (fd === EACCES) return temporaryFile(image); // vm.memfd_noexec=2
  if (fd < 0) throw failed(fd, "create a memfd for the container's first program");
  const written = sys("write", fd, image, image.length);
  if (written !== image.length) {
    sys("close", fd);
    throw failed(written < 0 ? written : -28, "write the container's first program to memory");
  }
  if (sys("fcntl", fd, F_ADD_SEALS, SEALS_EXEC) < 0 && sys("fcntl", fd, F_ADD_SEALS, SEALS) < 0) {
    sys("close", fd);
    throw failed(EINVAL, "seal the container's first program");
  }
  return fd;
}

const O_TMPFILE = 0o20000000;
const O_RDWR = 2;
const O_CLOEXEC = 0x80000;
const DIRECTORY = 0x10000;

/** Where memfds may not be executed: an unnamed file, reopened read-only, since an open writer means ETXTBSY. */
function temporaryFile(image: Uint8Array): number {
  const places = ["/dev/shm", process.env.XDG_RUNTIME_DIR, "/tmp"].filter((place) => place !== undefined);
  for (const place of places) {
    const writer = sys("openat", -100, place, O_TMPFILE | DIRECTORY | O_RDWR | O_CLOEXEC, 0o700);
    if (writer < 0) continue;
    const whole = sys("write", writer, image, image.length) === image.length; // half a plan must not be executed
    const reader = whole ? sys("openat", -100, `/proc/self/fd/${writer}`, O_CLOEXEC, 0) : -1;
    sys("close", writer);
    if (reader >= 0) return reader;
  }
  throw failed(EACCES, "create a file for the container's first program");
}

/** A null-terminated array of C strings; keep the result reachable while its address is in use. */
function pointers(list: readonly string[]): { array: Uint8Array; keep: Uint8Array[] } {
  const keep = list.map((text) => {
    const memory = bytes(text.length * 3 + 1);
    writeText(memory, text);
    return memory;
  });
  const array = bytes((list.length + 1) * 8);
  const words = new Int32Array(array.buffer);
  for (let i = 0; i < keep.length; i++) set64(words, i * 2, addressOf(keep[i]!));
  return { array, keep };
}

const SIG_IGN = 1;

/** With SIGCHLD ignored (by whoever started us) the kernel reaps our children itself, and we would wait for nobody. */
function wantChildren(): void {
  const action = bytes(32);
  sys("rt_sigaction", SIGCHLD, null, action, 8);
  if (action[0] === SIG_IGN) sys("rt_sigaction", SIGCHLD, bytes(32), null, 8);
}

const allSignals = bytes(8).fill(0xff);
const savedMask = bytes(8);
const job = bytes(72); // of nsi_vexec: the result, the tid, a call and its five arguments, the list of descriptors
const jobWords = new Int32Array(job.buffer);
const empty = bytes(8);
const AT_EMPTY_PATH = 0x1000;

/**
 * nsi_vexec: clone(flags) whose child makes one call with at most five arguments, writes its result to memory and ends, if the
 * call returns. `result` is what our memory holds then: the child's word with CLONE_VM, 0 without. Needs CLONE_VFORK, for the
 * child may be on our stack. `inherit` are the descriptors that survive an exec.
 */
export function cloneCall(
  flags: number,
  call: readonly number[],
  inherit: readonly number[] = [],
): { pid: number; result: number } {
  wantChildren();
  const list = [...inherit, -1];
  const kept = new Int32Array(new ArrayBuffer(list.length * 4));
  kept.set(list); // Int32Array.from is written in JavaScript: its first call costs 0.13 ms
  for (let word = 0; word < 8; word++) set64(jobWords, word * 2, call[word - 2] ?? 0);
  set64(jobWords, 16, addressOf(kept));
  must("block signals", "rt_sigprocmask", SIG_SETMASK, allSignals, savedMask, 8);
  const pid = native().vexec(flags, addressOf(job));
  sys("rt_sigprocmask", SIG_SETMASK, savedMask, null, 8);
  void kept;
  return { pid, result: jobWords[1]! * 2 ** 32 + (jobWords[0]! >>> 0) };
}

/**
 * Executes the file `fd` with `argv` and no environment; `inherit` are the descriptors that survive the exec. Returns the
 * pid. All signals are blocked in the new program: it unblocks them when it is ready (a signal in between is not lost).
 */
export function vexec(fd: number, argv: readonly string[], inherit: readonly number[]): number {
  const args = pointers(argv);
  const call = [syscallNumber("execveat"), fd, addressOf(empty), addressOf(args.array), addressOf(empty), AT_EMPTY_PATH];
  const { pid, result } = cloneCall(CLONE.CLONE_VM | CLONE.CLONE_VFORK | SIGCHLD, call, inherit);
  if (pid < 0) throw failed(pid, "start the container's first process");
  if (result < 0) {
    sys("wait4", pid, null, 0, 0);
    throw failed(result, "execute the container's first program");
  }
  void args.keep;
  return pid;
}
