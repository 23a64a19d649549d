/** A terminal's size, without the trampoline: what only prints a help must not wait a millisecond for its loading. */
import { dlopen } from "bun:ffi";

/** asm-generic/ioctls.h, the same on x86_64 and aarch64. */
const TIOCGWINSZ = 0x5413;

/** Columns of the terminal that `fd` is, 0 when it does not know; undefined for what is no terminal. Shell: `stty size`. */
export function columns(fd: number): number | undefined {
  const { ioctl } = dlopen("libc.so.6", { ioctl: { args: ["i32", "u64", "ptr"], returns: "i32" } }).symbols;
  const size = new Uint16Array(new ArrayBuffer(8)); // struct winsize: rows, columns, and two more
  return ioctl(fd, TIOCGWINSZ, size) === 0 ? size[1] : undefined;
}
