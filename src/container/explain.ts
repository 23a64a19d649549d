/** Why an execve failed although the file is there: read from the root's files, which outlive the container. */
import { AT_FDCWD, O, RESOLVE, S } from "../ffi/flags.ts";
import { bytes, sys } from "../ffi/syscall.ts";
import type { Mount } from "../plan/spec.ts";
import { statFd } from "../rootfs/stat.ts";

const ENOENT = 2;
const EACCES = 13;
const ENOEXEC = 8;

function openHow(flags: number): Uint8Array {
  const how = bytes(24);
  const view = new DataView(how.buffer);
  view.setBigUint64(0, BigInt(flags), true);
  view.setBigUint64(16, BigInt(RESOLVE.RESOLVE_IN_ROOT | RESOLVE.RESOLVE_NO_MAGICLINKS), true);
  return how;
}

/** The first bytes of the regular file that the O_PATH descriptor `found` stands for; it is closed. */
function start(found: number): Uint8Array | undefined {
  if (found < 0) return undefined;
  // opened only when it is known to be a file: to open a device is to use it
  const regular = (statFd(found).mode & S.S_IFMT) === S.S_IFREG;
  const fd = regular ? sys("openat", AT_FDCWD, `/proc/self/fd/${found}`, O.O_RDONLY | O.O_CLOEXEC, 0) : -1;
  sys("close", found);
  if (fd < 0) return undefined;
  const buffer = bytes(4096);
  const length = sys("read", fd, buffer, buffer.length);
  sys("close", fd);
  return length < 0 ? undefined : buffer.subarray(0, length);
}

const FIND = O.O_PATH | O.O_CLOEXEC;

/** The first bytes of a file inside the root `root` (a descriptor), or undefined. */
const head = (root: number, path: string): Uint8Array | undefined =>
  start(sys("openat2", root, path.replace(/^\/+/, ""), openHow(FIND), 24));

/** Up to the first NUL, as the kernel reads it. */
const text = (raw: Uint8Array): string => Buffer.from(raw).toString().split("\0")[0] ?? "";

/** PT_INTERP of a 64-bit ELF (elf(5)): its dynamic loader. */
function elfInterpreter(file: Uint8Array): string | undefined {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.length < 64 || view.getUint32(0, false) !== 0x7f454c46) return undefined;
  const table = Number(view.getBigUint64(32, true));
  const [size, count] = [view.getUint16(54, true), view.getUint16(56, true)];
  for (let i = 0; i < count; i++) {
    const at = table + i * size;
    if (at + 56 > file.length || view.getUint32(at, true) !== 3) continue;
    const offset = Number(view.getBigUint64(at + 8, true));
    const length = Number(view.getBigUint64(at + 32, true));
    return text(file.subarray(offset, offset + length));
  }
  return undefined;
}

/** The program that a script or a dynamic executable asks for. */
export function interpreter(file: Uint8Array): string | undefined {
  if (file[0] === 0x23 && file[1] === 0x21) {
    const line = text(file.subarray(2, 258)).split("\n")[0] ?? "";
    return line.trim().split(/[ \t]/)[0] || undefined;
  }
  return elfInterpreter(file);
}

/** Looks where the command was: in a volume, when one is mounted above the path, else in the root. */
function headOf(root: number, path: string, mounts: readonly Mount[]): Uint8Array | undefined {
  const volume = mounts.findLast((m) => m.type === "bind" && `${path}/`.startsWith(`${m.target}/`));
  if (!volume) return head(root, path);
  if (volume.file) return start(sys("openat", AT_FDCWD, volume.source, FIND, 0));
  const fd = sys("openat", AT_FDCWD, volume.source, O.O_PATH | O.O_DIRECTORY | O.O_CLOEXEC, 0);
  const found = fd < 0 ? undefined : head(fd, path.slice(volume.target.length + 1));
  if (fd >= 0) sys("close", fd);
  return found;
}

/** One line for the user, or undefined where the errno says it all. */
export function explainExec(
  root: number,
  path: string,
  errno: number,
  mounts: readonly Mount[],
  landlock = false,
): string | undefined {
  if (root < 0 || !path.startsWith("/")) return undefined;
  const file = headOf(root, path, mounts);
  if (file === undefined) return undefined;
  if (errno === EACCES && file.length === 0) return undefined;
  if (errno === EACCES && landlock)
    return `${path} is there but may not be executed: no --landlock rule lets it (rx:PATH, its interpreter's too), its mode, or a mount with noexec`;
  if (errno === EACCES) return `${path} is there but may not be executed: its mode, or a mount with noexec`;
  if (errno === ENOEXEC)
    return `${path} is no program for this machine: neither ELF of this architecture nor a script that starts with #!`;
  if (errno !== ENOENT) return undefined;
  const wanted = interpreter(file);
  return wanted && headOf(root, wanted, mounts) === undefined
    ? `${path} is there, but its interpreter ${wanted} is not in this root`
    : undefined;
}
