/** Why an execve failed although the file is there: read from the root's files, which outlive the container. */
import { ARCH, ELF_MACHINE } from "../ffi/abi.ts";
import { readLink } from "../ffi/file.ts";
import { AT_FDCWD, O, RESOLVE, S } from "../ffi/flags.ts";
import { bytes, openat2, sys } from "../ffi/syscall.ts";
import type { Mount } from "../plan/spec.ts";
import { statFd } from "../rootfs/stat.ts";

const ENOENT = 2;
const ENOEXEC = 8;
const EACCES = 13;
const ETXTBSY = 26;
const ELOOP = 40;

const FIND = O.O_PATH | O.O_CLOEXEC;
const WITHIN = RESOLVE.RESOLVE_IN_ROOT | RESOLVE.RESOLVE_NO_MAGICLINKS;

/** What is at a path inside the root `root` (a descriptor): an O_PATH descriptor or -errno. */
const openIn = (root: number, path: string): number => openat2(root, path.replace(/^\/+/, ""), FIND, WITHIN);

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

/** What is at a path: its first bytes, mode, and where the host has it, if that is a place of the user's. */
interface Found {
  readonly head: Uint8Array;
  readonly mode: number;
  readonly hostPath: string | undefined;
}

/** Where the command was looked for. */
export interface Place {
  /** A descriptor of the root. */
  readonly root: number;
  /** The user named it: not a tree of the cache, which others share and nobody may change, nor one that only the container sees. */
  readonly named: boolean;
  readonly mounts: readonly Mount[];
  readonly landlock: boolean;
}

/** The first bytes of the regular file that the O_PATH descriptor `found` stands for. */
function headOf(found: number): Uint8Array {
  const fd = sys("openat", AT_FDCWD, `/proc/self/fd/${found}`, O.O_RDONLY | O.O_CLOEXEC, 0);
  if (fd < 0) return bytes(0);
  const buffer = bytes(4096);
  const length = sys("read", fd, buffer, buffer.length);
  sys("close", fd);
  return buffer.subarray(0, Math.max(0, length));
}

/** Looks at what `fd` (O_PATH) stands for, which is closed; -errno when it is one. */
function look(fd: number): Found | number {
  if (fd < 0) return fd;
  const { mode } = statFd(fd);
  // opened only when it is known to be a file: to open a device is to use it
  const head = (mode & S.S_IFMT) === S.S_IFREG ? headOf(fd) : bytes(0);
  const path = readLink(`/proc/self/fd/${fd}`);
  sys("close", fd);
  return { head, mode, hostPath: String(path) };
}

/** The volume above the path, where there is one. */
const volumeOf = (path: string, mounts: readonly Mount[]): Mount | undefined =>
  mounts.findLast((m) => m.type === "bind" && `${path}/`.startsWith(`${m.target}/`));

/** Looks where the command was: in a volume, when one is mounted above the path, else in the root. */
function find({ root, named, mounts }: Place, path: string): Found | number {
  const volume = volumeOf(path, mounts);
  if (!volume) {
    const found = look(openIn(root, path));
    return typeof found === "number" || named ? found : { ...found, hostPath: undefined };
  }
  if (volume.file) return look(sys("openat", AT_FDCWD, volume.source, FIND, 0));
  const fd = sys("openat", AT_FDCWD, volume.source, O.O_PATH | O.O_DIRECTORY | O.O_CLOEXEC, 0);
  const found = fd < 0 ? fd : look(openIn(fd, path.slice(volume.target.length + 1)));
  if (fd >= 0) sys("close", fd);
  return found;
}

function notAllowed(path: string, { mode, hostPath }: Found): string {
  if ((mode & S.S_IFMT) === S.S_IFDIR) return `${path} is a directory`;
  if ((mode & 0o111) === 0)
    return `${path} is there but may not be executed by anybody${hostPath === undefined ? "" : `: chmod +x ${hostPath}`}`;
  return `${path} may be executed, but not there or not by this user: a mount with noexec, or its directories' modes`;
}

function noProgram(path: string, head: Uint8Array): string {
  const elf = head.length >= 20 && new DataView(head.buffer, head.byteOffset).getUint32(0, false) === 0x7f454c46;
  const machine = elf ? new DataView(head.buffer, head.byteOffset).getUint16(18, true) : 0;
  const [other] = Object.entries(ELF_MACHINE).find(([, number]) => number === machine) ?? [`machine ${machine}`];
  if (elf && machine !== ELF_MACHINE[ARCH])
    return `${path} is no program for this machine: it is for ${other}, this is ${ARCH} (qemu-user with binfmt_misc could run it)`;
  return `${path} is no program for this machine: neither ELF of this architecture nor a script that starts with #!`;
}

/** One line for the user, or undefined where the errno says it all. */
export function explainExec(place: Place, path: string, errno: number): string | undefined {
  if (place.root < 0 || !path.startsWith("/")) return undefined;
  const found = find(place, path);
  if (errno === ELOOP) {
    return typeof found === "number"
      ? `symbolic links on the way to ${path} lead in a circle`
      : `${path} is a script whose interpreter is a script in turn, too often`;
  }
  if (typeof found === "number") return undefined;
  if (errno === EACCES && place.landlock && (found.mode & 0o111) !== 0)
    return `${path} is there but may not be executed: no --landlock rule lets it (rx:PATH, its interpreter's too), or a mount with noexec`;
  if (errno === EACCES) return notAllowed(path, found);
  if (errno === ENOEXEC) return noProgram(path, found.head);
  if (errno === ETXTBSY)
    return `somebody has ${path} open for writing${found.hostPath === undefined ? "" : `: fuser -v ${found.hostPath}`}`;
  if (errno !== ENOENT) return undefined;
  const wanted = interpreter(found.head);
  return wanted && typeof find(place, wanted) === "number"
    ? `${path} is there, but its interpreter ${wanted} is not in this root`
    : undefined;
}
