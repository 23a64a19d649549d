/** `--user NAME[:GROUP]` by the root's own etc/passwd and etc/group: passwd(5), group(5). */
import { UsageError } from "../errors.ts";
import { errno } from "../ffi/errno.ts";
import { O, RESOLVE } from "../ffi/flags.ts";
import { bytes, failed, openat2, sys } from "../ffi/syscall.ts";
import { showText } from "./names.ts";
import { statFd } from "./stat.ts";

export interface Account {
  readonly uid: number;
  readonly gid: number;
  /** Absolute path inside the root, from passwd; not given for a number that passwd does not know. */
  readonly home?: string;
}

const MAX_FILE = 1 << 20;
/** 4294967295 is chown(2)'s and setresuid(2)'s "leave it as it is". */
const MAX_ID = 0xfffffffe;

/** A numeric id, strictly: decimal digits, no sign, no leading zero, at most 4294967294. */
export function parseId(text: string): number | undefined {
  if (!/^(0|[1-9]\d{0,9})$/.test(text) || Number(text) > MAX_ID) return undefined;
  return Number(text);
}

/**
 * `NAME`, `UID`, `NAME:GROUP`, `UID:GID`, … Without a group: the one of passwd; 0 for a number that passwd does not know
 * (as docker and podman do). `rootFd` is any descriptor of the root directory. Throws UsageError.
 */
export function resolveUser(rootFd: number, text: string): Account {
  const [user = "", group, ...more] = text.split(":");
  if (more.length > 0) throw wrong(text, "expected NAME[:GROUP]");
  if (group === "") throw wrong(text, "empty group");
  const uid = idOrName(text, user, "user");
  const row = lines(rootFd, "etc/passwd", 7).find((fields) => (uid === undefined ? fields[0] === user : fields[2] === user));
  if (uid === undefined && !row) throw wrong(text, `no user ${showText(user)} in the root's etc/passwd`);
  const home = row?.[5]?.startsWith("/") ? { home: row[5] } : {};
  const owner = uid ?? fileId(row?.[2], "etc/passwd", user);
  if (group === undefined) return { uid: owner, gid: row ? fileId(row[3], "etc/passwd", user) : 0, ...home };
  return { uid: owner, gid: resolveGroup(rootFd, text, group), ...home };
}

function resolveGroup(rootFd: number, text: string, group: string): number {
  const gid = idOrName(text, group, "group");
  if (gid !== undefined) return gid;
  const row = lines(rootFd, "etc/group", 3).find((fields) => fields[0] === group);
  if (!row) throw wrong(text, `no group ${showText(group)} in the root's etc/group`);
  return fileId(row[2], "etc/group", group);
}

const wrong = (text: string, why: string): UsageError => new UsageError(`--user ${showText(text)}: ${why}`);

/** The number, or undefined for a name; what is neither (`1000x`, `-1`, too large, empty) is an error. */
function idOrName(text: string, part: string, what: string): number | undefined {
  const id = parseId(part);
  if (id !== undefined) return id;
  if (part === "") throw wrong(text, `empty ${what}`);
  if (/^[\d+-]/.test(part)) throw wrong(text, `${showText(part)} is no ${what} id (0 to ${MAX_ID})`);
  if (/[^\x21-\x7e\x80-\uffff]/.test(part)) throw wrong(text, `${showText(part)} is no ${what} name`);
  return undefined;
}

function fileId(field: string | undefined, file: string, name: string): number {
  const id = parseId(field ?? "");
  if (id === undefined) throw new UsageError(`the root's ${file}: the line of ${showText(name)} has no valid id`);
  return id;
}

/** The lines of a file of the root with at least `count` fields. None when there is no such file. */
function lines(rootFd: number, path: string, count: number): string[][] {
  const text = readInRoot(rootFd, path);
  return text
    .split("\n")
    .map((line) => line.split(":"))
    .filter((fields) => fields.length >= count);
}

/** Links are followed within the root only; a fifo or device in its place cannot hold us up (O_NONBLOCK, regular files only). */
function readInRoot(rootFd: number, path: string): string {
  const flags = O.O_RDONLY | O.O_NONBLOCK | O.O_NOCTTY | O.O_CLOEXEC;
  const fd = openat2(rootFd, path, flags, RESOLVE.RESOLVE_IN_ROOT | RESOLVE.RESOLVE_NO_MAGICLINKS);
  if (fd === -errno("ENOENT")) return "";
  if (fd < 0) throw failed(fd, `open the root's ${path}`);
  try {
    const stat = statFd(fd);
    if ((stat.mode & 0o170000) !== 0o100000) throw new UsageError(`the root's ${path} is not a regular file`);
    const buffer = bytes(MAX_FILE + 1);
    let length = 0;
    for (;;) {
      const got = sys("read", fd, buffer.subarray(length), buffer.length - length);
      if (got < 0) throw failed(got, `read the root's ${path}`);
      length += got;
      if (length > MAX_FILE) throw new UsageError(`the root's ${path} is larger than ${MAX_FILE} bytes`);
      if (got === 0) return new TextDecoder().decode(buffer.subarray(0, length));
    }
  } finally {
    sys("close", fd);
  }
}
