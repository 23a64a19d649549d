/** Work in another network namespace: network_namespaces(7), setns(2). */
import { errnoName } from "../ffi/errno.ts";
import { Fd } from "../ffi/fd.ts";
import { AT_FDCWD, CLONE, O } from "../ffi/flags.ts";
import { bytes, must, sys } from "../ffi/syscall.ts";

/**
 * Enters a network namespace, runs `body` there without an await, comes back. setns(2) moves only this thread.
 * Throws SyscallError, or what `body` throws.
 */
export function inNetns<T>(netns: number, body: () => T): T {
  using own = Fd.from("open own network namespace", "openat", AT_FDCWD, "/proc/thread-self/ns/net", O.O_RDONLY | O.O_CLOEXEC, 0);
  must("enter network namespace", "setns", netns, CLONE.CLONE_NEWNET);
  try {
    return body();
  } finally {
    const back = sys("setns", own.number, CLONE.CLONE_NEWNET);
    if (back < 0) {
      // From here on every call would change the wrong network: end at once, past all handlers.
      const line = new TextEncoder().encode(`nsrun: cannot return to the own network namespace: ${errnoName(-back)}\n`);
      const text = bytes(line.length);
      text.set(line);
      sys("write", 2, text, text.length);
      sys("exit_group", 125);
    }
  }
}
