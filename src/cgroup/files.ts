/** The files of a cgroup: small texts, read and written whole. */
import { readText } from "../ffi/file.ts";
import { AT_FDCWD, O } from "../ffi/flags.ts";
import { sys } from "../ffi/syscall.ts";

/** "" where there is none. */
export function read(path: string): string {
  const text = readText(path);
  return typeof text === "number" ? "" : text;
}

/** The words of a file such as cgroup.controllers. */
export const words = (path: string): string[] =>
  read(path)
    .split(/\s+/)
    .filter((word) => word !== "");

/** One write(2): the kernel takes each as a whole. The result or -errno. */
export function write(path: string, text: string): number {
  const fd = sys("openat", AT_FDCWD, path, O.O_WRONLY | O.O_CLOEXEC, 0);
  if (fd < 0) return fd;
  const result = sys("write", fd, text, text.length);
  sys("close", fd);
  return result;
}

/** A value of a file of lines `KEY VALUE`, such as memory.events; 0 where there is none. */
export function keyed(path: string, key: string): number {
  const line = read(path)
    .split("\n")
    .find((one) => one.startsWith(`${key} `));
  return Number(line?.slice(key.length + 1) ?? 0);
}
