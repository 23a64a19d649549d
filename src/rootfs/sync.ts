/** syncfs(2) without waiting on the JS thread: a file system full of others' unwritten data takes seconds. */
import { NsrunError } from "../errors.ts";
import { errnoName, errnoText } from "../ffi/errno.ts";
import { Fd } from "../ffi/fd.ts";
import { elfImage } from "../ffi/image.ts";
import { native, PLAN_ADDRESS } from "../ffi/native.ts";
import { encode, type RawStep } from "../ffi/program.ts";
import { must } from "../ffi/syscall.ts";
import { sealedFile } from "../ffi/vexec.ts";
import { unlessAborted } from "../turn.ts";

/** The directory's descriptor in the child. */
const DIR = 3;

/** Its exit status is 0 or the low byte of -errno (exit_group(2)); what is told to a socket that is none goes nowhere. */
const STEPS: readonly RawStep[] = [
  { call: "syncfs", args: [DIR], store: true, tell: true },
  { call: "exit_group", args: [{ reg: true }] },
];

/**
 * Writes the file system of `dirFd` to disk, in a child: the call has no form that does not wait, and JS has one thread. A child
 * that nobody waits for any more ends by itself: nothing can interrupt the call. Throws NsrunError.
 */
export async function syncFileSystem(dirFd: number, doing: string, signal: AbortSignal | undefined): Promise<void> {
  const steps = encode(STEPS, { address: PLAN_ADDRESS, socket: -1, slot: () => -1 });
  using file = new Fd(sealedFile("nsrun-sync", elfImage(native().code, steps)));
  const child = spawn(`/proc/${process.pid}/fd/${file.number}`, dirFd);
  try {
    const status = child && (await unlessAborted(child.exited, signal));
    if (status === undefined || child?.signalCode) must(doing, "syncfs", dirFd);
    else if (status !== 0) throw new NsrunError(`${doing}: ${errnoName(256 - status)} (${errnoText(256 - status)})`);
  } finally {
    child?.unref();
  }
}

/** In a session of its own: a terminal's Ctrl-C is ours to answer. Undefined without /proc, where what is in memory has no name. */
function spawn(path: string, dirFd: number): Bun.Subprocess | undefined {
  try {
    return Bun.spawn([path], {
      argv0: "nsrun-sync",
      env: {},
      detached: true,
      stdio: ["ignore", "ignore", "ignore", dirFd],
    });
  } catch {
    return undefined;
  }
}
