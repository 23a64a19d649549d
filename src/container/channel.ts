/**
 * The one socket between nsrun and a container's processes. Its end in Bun is the lifeline (closed: the stage kills the
 * container); 16-byte records {kind, a, b, 0} come in. Three writers are not ordered: dispatch by kind, never by position.
 *
 *   stage      1 pid                  6 container's wait status
 *   any        2 step a failed with errno b        4 the same, passed over
 *   init       3 command's wait status             5 ready to be joined
 */
import type { Socket } from "bun";
import { bytes, failed, must, sys } from "../ffi/syscall.ts";

export const RECORD = { pid: 1, failed: 2, ended: 3, soft: 4, ready: 5, watched: 6 } as const;

export interface Handlers {
  record(kind: number, a: number, b: number): void;
  /** Every other end is closed. Called once. */
  hangup(): void;
}

const F_DUPFD_CLOEXEC = 1030;
const LOWEST = 4; // the child closes 3..socket-1: that range must exist

/** A descriptor number of at least 4 for what `fd` stands for. */
function lift(fd: number): number {
  if (fd >= LOWEST) return fd;
  const higher = must("make room for the socket", "fcntl", fd, F_DUPFD_CLOEXEC, LOWEST);
  sys("close", fd);
  return higher;
}

/** socketpair(2): ours, theirs; both close-on-exec. */
export function socketPair(): { ours: number; theirs: number } {
  const pair = bytes(8);
  const result = sys("socketpair", 1 /* AF_UNIX */, 1 | 0x80000 /* SOCK_STREAM|SOCK_CLOEXEC */, 0, pair);
  if (result < 0) throw failed(result, "make a socket pair");
  const view = new DataView(pair.buffer);
  return { ours: view.getInt32(0, true), theirs: lift(view.getInt32(4, true)) };
}

/** Reads records from `fd` in the event loop and owns it from here on. */
export async function listen(fd: number, handlers: Handlers): Promise<Socket> {
  let rest: Uint8Array = new Uint8Array(0);
  let open = true;
  const hangup = () => {
    if (!open) return;
    open = false;
    handlers.hangup();
  };
  const data = (_: Socket, chunk: Uint8Array) => {
    const all = rest.length > 0 ? new Uint8Array([...rest, ...chunk]) : chunk;
    const view = new DataView(all.buffer, all.byteOffset, all.byteLength);
    let at = 0;
    for (; at + 16 <= all.length; at += 16) {
      handlers.record(view.getInt32(at, true), view.getInt32(at + 4, true), view.getInt32(at + 8, true));
    }
    rest = all.slice(at);
  };
  // `fd` is not in bun-types' connect options, but is what Bun.connect takes for a socket that exists
  const options = { fd, socket: { data, end: hangup, close: hangup, error: hangup, binaryType: "uint8array" } };
  return Bun.connect(options as unknown as Parameters<typeof Bun.connect>[0]) as unknown as Promise<Socket>;
}
