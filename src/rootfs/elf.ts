/** Whether a file is a program that runs by itself: elf(5). */
import { ARCH, ELF_MACHINE } from "../ffi/abi.ts";
import { O } from "../ffi/flags.ts";
import { bytes, sys } from "../ffi/syscall.ts";

/** `static`: needs no other file. `dynamic`: names an interpreter (PT_INTERP). */
export type ElfKind = "static" | "dynamic" | "foreign" | "none";

const PT_INTERP = 3;

/** What the first bytes of a file say. `foreign`: a program for another machine. 64-bit little-endian only. */
export function elfKind(head: Uint8Array): ElfKind {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (head.length < 64 || view.getUint32(0, false) !== 0x7f454c46) return "none";
  const type = view.getUint16(16, true);
  if (head[4] !== 2 || head[5] !== 1 || view.getUint16(18, true) !== ELF_MACHINE[ARCH]) return "foreign";
  if (type !== 2 && type !== 3) return "none"; // ET_EXEC, ET_DYN
  const at = Number(view.getBigUint64(32, true));
  const size = view.getUint16(54, true);
  const count = view.getUint16(56, true);
  if (count === 0 || size < 56 || at + size * count > head.length) return "none";
  for (let i = 0; i < count; i++) if (view.getUint32(at + i * size, true) === PT_INTERP) return "dynamic";
  return "static";
}

/** The same of a path; -errno when it cannot be read. */
export function elfKindOf(path: string): ElfKind | number {
  const fd = sys("openat", -100, path, O.O_RDONLY | O.O_NONBLOCK | O.O_CLOEXEC, 0);
  if (fd < 0) return fd;
  const head = bytes(4096);
  const length = sys("read", fd, head, head.length);
  sys("close", fd);
  return length < 0 ? length : elfKind(head.subarray(0, length));
}
