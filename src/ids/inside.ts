/** Calls made by a process of ours in a user namespace with given maps: for files that belong to granted ids. */
import { NsrunError } from "../errors.ts";
import { AT_FDCWD, CLONE, O } from "../ffi/flags.ts";
import { elfImage } from "../ffi/image.ts";
import { native, PLAN_ADDRESS } from "../ffi/native.ts";
import { encode, type RawStep } from "../ffi/program.ts";
import { bytes, failed, must, sys } from "../ffi/syscall.ts";
import { sealedFile, vexec } from "../ffi/vexec.ts";
import { mapPrograms, mapText } from "../plan/identity.ts";
import type { IdMaps } from "../plan/spec.ts";
import { type Steps, WAIT } from "../turn.ts";
import { runTogether } from "./programs.ts";

/** A call and what it is for. */
export type Call = RawStep & { readonly label: string };

const DOING = "make a user namespace for the archive's owners";

function writeMap(pid: number, file: string, text: string): void {
  const fd = must(`${DOING}: ${file}`, "openat", AT_FDCWD, `/proc/${pid}/${file}`, O.O_WRONLY | O.O_CLOEXEC, 0);
  const result = sys("write", fd, Buffer.from(text), Buffer.byteLength(text));
  sys("close", fd);
  if (result < 0) throw failed(result, `${DOING}: ${file}`);
}

/** As between clone and go of a container. */
function writeMaps(pid: number, maps: IdMaps): void {
  const { uid, gid, setgroups, writers = {} } = maps;
  if (!setgroups) writeMap(pid, "setgroups", "deny");
  if (!writers.uid) writeMap(pid, "uid_map", mapText(uid));
  if (!writers.gid) writeMap(pid, "gid_map", mapText(gid));
  const commands = mapPrograms(maps).flatMap((step) => step.programs);
  const failure = runTogether(commands.map((words) => words.map((word) => (typeof word === "string" ? word : String(pid)))));
  if (failure !== undefined) throw new NsrunError(`${DOING}: ${failure}`);
}

const READY = { bytes: Uint8Array.of(114), text: "ready" };
const buffer = (text: string) => ({ bytes: new Uint8Array(32), text });

function program(calls: readonly Call[], socket: number): RawStep[] {
  return [
    { call: "reset_signals", args: [buffer("0")] },
    { call: "unshare", args: [CLONE.CLONE_NEWUSER] },
    { call: "sendto", args: [socket, READY, 1, 0x4000 /* MSG_NOSIGNAL */, 0, 0], exact: true },
    { call: "read", args: [socket, buffer("go"), 1], exact: true }, // 0: we are dead, nothing must happen
    ...calls,
    { call: "exit_group", args: [0] },
  ];
}
const BEFORE = 4;

const MSG_DONTWAIT = 0x40;
const EAGAIN = -11;

/** What the child says: one byte, or a failure record {2, step, errno, 0}; nothing when it has ended. Waits, without a flag against it. */
function listen(socket: number, calls: readonly Call[], flags = 0): "ready" | "over" | "silent" {
  const record = bytes(16);
  const length = sys("recvfrom", socket, record, 16, flags, 0, 0);
  if (length === EAGAIN) return "silent";
  if (length === 1) return "ready";
  if (length !== 16) return "over";
  const view = new DataView(record.buffer);
  throw failed(-view.getInt32(8, true), calls[view.getInt32(4, true) - BEFORE]?.label ?? DOING);
}

function start(calls: readonly Call[], inherit: readonly number[]): { pid: number; socket: number } {
  const pair = bytes(8);
  must(DOING, "socketpair", 1 /* AF_UNIX */, 1 | 0x80000 /* SOCK_STREAM|SOCK_CLOEXEC */, 0, pair);
  const view = new DataView(pair.buffer);
  const [socket, theirs] = [view.getInt32(0, true), view.getInt32(4, true)];
  let file = -1;
  try {
    const segment = encode(program(calls, theirs), { address: PLAN_ADDRESS, socket: theirs, slot: () => -1 });
    file = sealedFile("nsrun-ids", elfImage(native().code, segment));
    return { socket, pid: vexec(file, ["nsrun-ids"], [theirs, ...inherit]) };
  } catch (error) {
    sys("close", socket);
    throw error;
  } finally {
    sys("close", theirs); // only the child has it now: its death is our hang-up
    if (file >= 0) sys("close", file);
  }
}

/**
 * Makes `calls` in order, in a new user namespace and nothing else new, and waits for the end, in steps; `inherit` are descriptors
 * that they name. Who leaves the steps before ends it. Shell: `unshare -U --map-auto -r …`. Throws SyscallError for the first call
 * that fails.
 */
export function* inUserNamespace(maps: IdMaps, calls: readonly Call[], inherit: readonly number[]): Steps {
  const { pid, socket } = start(calls, inherit);
  const status = bytes(4);
  let over = false;
  try {
    if (listen(socket, calls) === "ready") {
      writeMaps(pid, maps);
      sys("sendto", socket, bytes(1), 1, 0x4000 /* MSG_NOSIGNAL: if it is dead, the next line tells */, 0, 0);
      while (listen(socket, calls, MSG_DONTWAIT) === "silent") yield WAIT;
    }
    over = true;
  } finally {
    if (!over) sys("kill", pid, 9); // ours, and not reaped: nobody else has the number
    sys("close", socket);
    sys("wait4", pid, status, 0, 0);
  }
  const value = new DataView(status.buffer).getInt32(0, true);
  if (value !== 0) throw new NsrunError(`${DOING}: its process ended with wait status ${value}`);
}
