/** Names held among processes: abstract unix(7) addresses, which belong to the network namespace and leave no file. */
import { Fd } from "./fd.ts";
import { bytes, failed, sys } from "./syscall.ts";
import { utf8 } from "./text.ts";

const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 2 | 0x80000;
const EADDRINUSE = 98;

/** Holds `name` until the descriptor is closed, by whatever end. Undefined when somebody has it. Throws SyscallError. */
export function holdName(name: string, doing: string): Fd | undefined {
  const text = utf8(name);
  // sockaddr_un {u16 family, path}; a path that begins with NUL is abstract
  const address = bytes(3 + text.length);
  address[0] = AF_UNIX;
  address.set(text, 3);
  const fd = Fd.from(doing, "socket", AF_UNIX, SOCK_DGRAM_CLOEXEC, 0);
  const result = sys("bind", fd.number, address, address.length);
  if (result === 0) return fd;
  fd.close();
  if (result === -EADDRINUSE) return undefined;
  throw failed(result, doing);
}
