/**
 * Throw-away children: each is the sealed ELF with a list of calls of its own, and tells which one failed. Many run at a time.
 * What a child changes is in its own namespaces, and gone with it.
 */
import { elfImage } from "../ffi/image.ts";
import { native, PLAN_ADDRESS } from "../ffi/native.ts";
import { encode, type RawArg, type RawStep, type Words } from "../ffi/program.ts";
import { addressOf, bytes, must, sys } from "../ffi/syscall.ts";
import { sealedFile, vexec } from "../ffi/vexec.ts";

/** A call of the child and what it is for, as in the message about its failure. */
export type Call = RawStep & { readonly label: string };

export const call = (label: string, name: RawStep["call"], args: readonly RawArg[], extra: Partial<RawStep> = {}): Call => ({
  label,
  call: name,
  args,
  ...extra,
});

/** Zeroed memory of the child's own, for results that nobody reads. */
export const room = (length: number) => ({ bytes: new Uint8Array(length), text: "room" });

/** A descriptor number that no child has otherwise: the trampoline has one register, what else it keeps goes here. */
export const KEPT = 100;

/** The last stored descriptor, kept as {@link KEPT} (or another number). */
export const keep = (number = KEPT): Call => call("keep a descriptor", "dup3", [{ reg: true }, number, 0]);

/** struct msghdr with one record and, by SCM_RIGHTS, the descriptor {@link KEPT}: unix(7), cmsg(3). */
const handOver: Words = {
  words: [
    ...[0, 0],
    { words: [{ bytes: new Uint8Array(16), text: "" }, 16], text: "" },
    1,
    { words: [20, 1 + 2 ** 32, KEPT], text: "" },
    ...[24, 0],
  ],
  text: "{SCM_RIGHTS}",
};

/** Gives the descriptor {@link KEPT} to us: {@link Ended.given}. */
export const give = (): Call => call("hand a descriptor over", "sendmsg", [{ slot: "sock" }, handOver, 0x4000]);

export interface Child {
  readonly pid: number;
  readonly socket: number;
  readonly calls: readonly Call[];
}

/** How a child ended. */
export interface Ended {
  /** The call that failed first, and its errno (0: it gave another result than it must). */
  readonly failed: { readonly label: string; readonly call: string; readonly errno: number } | undefined;
  /** wait(2) */
  readonly status: number;
  /** A descriptor that it gave; ours to close. */
  readonly given: number | undefined;
  /** It had to be killed. */
  readonly late: boolean;
}

const BEFORE = 1;
/** The trampoline's record of a step that ended a child. */
const FAILED = 2;

/** Starts a child with `calls`; `inherit` are our descriptors that they name. Throws SyscallError when nothing can be started. */
export function begin(calls: readonly Call[], inherit: readonly number[] = []): Child {
  const pair = bytes(8);
  must("make a socket pair", "socketpair", 1 /* AF_UNIX */, 1 | 0x80000 /* SOCK_STREAM|SOCK_CLOEXEC */, 0, pair);
  const view = new DataView(pair.buffer);
  const [socket, theirs] = [view.getInt32(0, true), view.getInt32(4, true)];
  const steps: RawStep[] = [{ call: "reset_signals", args: [room(32)] }, ...calls, { call: "exit_group", args: [0] }];
  let file = -1;
  try {
    const slot = (name: string) => (name === "sock" ? theirs : -1);
    file = sealedFile("nsrun-doctor", elfImage(native().code, encode(steps, { address: PLAN_ADDRESS, socket: theirs, slot })));
    return { socket, calls, pid: vexec(file, ["nsrun-doctor"], [theirs, ...inherit]) };
  } catch (error) {
    sys("close", socket);
    throw error;
  } finally {
    sys("close", theirs);
    if (file >= 0) sys("close", file);
  }
}

/** Milliseconds that a child may take; all but programs are done in one. */
const PATIENCE = 2000;
const POLLIN = 1;

function answered(socket: number): boolean {
  const poll = bytes(8);
  const view = new DataView(poll.buffer);
  view.setInt32(0, socket, true);
  view.setInt16(4, POLLIN, true);
  const timeout = bytes(16);
  new DataView(timeout.buffer).setBigInt64(0, BigInt(PATIENCE / 1000), true);
  return sys("ppoll", poll, 1, timeout, null, 8) > 0;
}

/** One 16-byte record of the socket and a descriptor that came with it; undefined at its end. */
function receive(socket: number): { kind: number; a: number; b: number; fd: number | undefined } | undefined {
  const [record, control, iov, header] = [bytes(16), bytes(32), bytes(16), bytes(56)];
  new BigUint64Array(iov.buffer).set([BigInt(addressOf(record)), 16n]);
  new BigUint64Array(header.buffer).set([0n, 0n, BigInt(addressOf(iov)), 1n, BigInt(addressOf(control)), 32n, 0n]);
  if (sys("recvmsg", socket, header, 0x40000100 /* MSG_CMSG_CLOEXEC|MSG_WAITALL */) !== 16) return undefined;
  const [kind = 0, a = 0, b = 0] = new Int32Array(record.buffer);
  const carries = Number(new BigUint64Array(header.buffer)[5]) >= 20;
  return { kind, a, b, fd: carries ? new Int32Array(control.buffer)[4] : undefined };
}

/** Waits for a child's end. */
export function finish({ pid, socket, calls }: Child): Ended {
  let failed: Ended["failed"];
  let given: number | undefined;
  let late = false;
  for (;;) {
    if (!answered(socket)) {
      late = true;
      break;
    }
    const record = receive(socket);
    if (!record) break;
    given ??= record.fd;
    const step = record.kind === FAILED ? calls[record.a - BEFORE] : undefined;
    if (step) failed ??= { label: step.label, call: step.call, errno: record.b };
  }
  sys("close", socket);
  if (late) sys("kill", pid, 9);
  const status = bytes(4);
  sys("wait4", pid, status, 0, 0);
  return { failed, given, late, status: new DataView(status.buffer).getInt32(0, true) };
}
