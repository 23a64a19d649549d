/** The end of a v2 group: Documentation/admin-guide/cgroup-v2.rst, cgroup.kill and cgroup.events. */
import { AT, AT_FDCWD } from "../ffi/flags.ts";
import { bytes, failed, sys } from "../ffi/syscall.ts";
import { textOf } from "../ffi/text.ts";
import { write } from "./files.ts";

const POLLPRI = 2;

/** Blocks until `events` come for the descriptor. */
export function poll(fd: number, events: number): void {
  const wait = bytes(8);
  const view = new DataView(wait.buffer);
  view.setInt32(0, fd, true);
  view.setInt16(4, events, true);
  sys("ppoll", wait, 1, null, null, 8);
}

/** cgroup.events says `populated 0`. The kernel notifies of a change as POLLPRI, counted from the last read. */
export function waitEmpty(dir: string): void {
  const path = `${dir}/cgroup.events`;
  const fd = sys("openat", -100, path, 0x80000, 0);
  if (fd < 0) throw failed(fd, `open ${path}`);
  const text = bytes(256);
  for (;;) {
    sys("lseek", fd, 0, 0);
    const length = sys("read", fd, text, text.length);
    if (length < 0 || textOf(text.subarray(0, length)).includes("populated 0")) break;
    poll(fd, POLLPRI);
  }
  sys("close", fd);
}

const EBUSY = -16;

/** rmdir(2); what is still alive in the group, or dying, is killed and waited for. A group that is gone already is no error. */
export function removeGroup(dir: string): void {
  const remove = () => sys("unlinkat", AT_FDCWD, dir, AT.AT_REMOVEDIR);
  if (remove() !== EBUSY) return;
  if (write(`${dir}/cgroup.kill`, "1") >= 0) waitEmpty(dir);
  remove();
}
