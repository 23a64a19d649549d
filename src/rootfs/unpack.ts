/**
 * Unpacks a tar stream below a directory descriptor so that nothing outside it can be touched, whatever the archive says:
 *
 * - a leading `/` is taken off (as tar), `.` is dropped, `..` is refused, in names and in the targets of hard links;
 * - parents are opened one component at a time without following links; a name below a link or a file is an error;
 * - files are made with O_EXCL|O_NOFOLLOW: what had the name is unlinked first, never written through;
 * - symbolic links are text; hard links are made to the name itself, not to what it points at;
 * - a directory replaces a link or file of its name; anything else replaces a directory only when that is empty.
 *
 * Modes are those of the archive whatever the umask, set after the owner (chown clears setuid); directories get theirs and
 * their times at the end. Sources: CVE list in docs (tar row), openat(2), GNU tar manual "Security".
 */
import { UsageError } from "../errors.ts";
import { errno } from "../ffi/errno.ts";
import { AT, AT_FDCWD, O, S } from "../ffi/flags.ts";
import { bytes, failed, must, sys } from "../ffi/syscall.ts";
import { type ByteString, cstr, show, splitName } from "./names.ts";
import { type TarEntry, TarReader } from "./tar.ts";
import type { TarTime } from "./tar-pax.ts";
import { removeName, Tree } from "./tree.ts";

/** Bytes of file contents, members, components of a name. */
export interface UnpackLimits {
  readonly maxBytes: number;
  readonly maxEntries: number;
  readonly maxDepth: number;
}
export const LIMITS: UnpackLimits = { maxBytes: 16 * 2 ** 30, maxEntries: 1_000_000, maxDepth: 128 };
const MAX_PATH = 4096;

export interface UnpackOptions extends Partial<UnpackLimits> {
  /** What messages call the archive. */
  readonly archive?: string;
  /** Make device nodes and fifos; default: when root. */
  readonly devices?: boolean;
  /** Give files their owners; default: when root. Otherwise all is ours. */
  readonly owners?: boolean;
  /**
   * Where owners are not given here: is told every name's, in the archive's order (undefined: the name is another's now), and
   * says whether it will give them later. What it will not is counted as skipped.
   */
  readonly later?: (path: ByteString, owner: Owner | undefined) => boolean;
  /** With owners: which ones can be given; default all. The rest stays ours and is counted as skipped. */
  readonly mapped?: (uid: number, gid: number) => boolean;
  /**
   * Keep set-id bits also where owners are not given (they would then be ours); default false: such bits are cleared. "owned":
   * of each file whose owner is given.
   */
  readonly setid?: boolean | "owned";
}

export interface Owner {
  readonly uid: number;
  readonly gid: number;
  /** Of a regular file: its set-id bits are lost by a change of owner. Else 0. */
  readonly setid: number;
}

/** What was made, and what was left out: nothing else was. */
export interface UnpackReport {
  entries: number;
  bytes: number;
  files: number;
  directories: number;
  symlinks: number;
  hardlinks: number;
  devices: number;
  /** Device nodes and fifos not made, owners not given, set-id bits cleared, extended attributes not set. */
  skipped: { devices: number; owners: number; setid: number; xattrs: number };
}

interface Metadata {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: TarTime;
}

/** Unpacks all of `stream` (plain tar) below the directory `rootFd`. Throws UsageError (archive) or SyscallError (system). */
export async function unpackTar(
  stream: AsyncIterable<Uint8Array>,
  rootFd: number,
  options: UnpackOptions = {},
): Promise<UnpackReport> {
  const archive = options.archive ?? "archive";
  const reader = new TarReader(stream, archive);
  using unpacker = new Unpacker(rootFd, archive, options);
  try {
    for (let entry = await reader.next(); entry; entry = await reader.next()) await unpacker.add(entry, reader);
    unpacker.finish();
    return unpacker.report;
  } finally {
    await reader.close();
  }
}

const UTIME_OMIT = 0x3ffffffe;
const EEXIST = -errno("EEXIST");
const FILE = O.O_WRONLY | O.O_CREAT | O.O_EXCL | O.O_NOFOLLOW | O.O_CLOEXEC;

class Unpacker implements Disposable {
  readonly report: UnpackReport = {
    entries: 0,
    bytes: 0,
    files: 0,
    directories: 0,
    symlinks: 0,
    hardlinks: 0,
    devices: 0,
    skipped: { devices: 0, owners: 0, setid: 0, xattrs: 0 },
  };
  readonly #tree: Tree;
  readonly #archive: string;
  readonly #limits: UnpackLimits;
  readonly #uid = sys("geteuid");
  readonly #gid = sys("getegid");
  readonly #owners: boolean;
  readonly #devices: boolean;
  readonly #setid: boolean | "owned";
  readonly #mapped: UnpackOptions["mapped"];
  readonly #later: UnpackOptions["later"];
  readonly #directories = new Map<ByteString, Metadata>();
  readonly #times = bytes(32);

  constructor(rootFd: number, archive: string, options: UnpackOptions) {
    this.#tree = new Tree(rootFd);
    this.#archive = archive;
    this.#limits = {
      maxBytes: options.maxBytes ?? LIMITS.maxBytes,
      maxEntries: options.maxEntries ?? LIMITS.maxEntries,
      maxDepth: options.maxDepth ?? LIMITS.maxDepth,
    };
    this.#owners = options.owners ?? this.#uid === 0;
    this.#devices = options.devices ?? this.#uid === 0;
    this.#setid = options.setid ?? this.#owners;
    this.#mapped = options.mapped;
    this.#later = this.#owners ? undefined : options.later;
  }

  [Symbol.dispose](): void {
    this.#tree[Symbol.dispose]();
  }

  #refuse(entry: TarEntry, what: string): UsageError {
    return new UsageError(`${show(this.#archive)}: ${what} (entry ${show(entry.name)})`);
  }

  #check(result: number, entry: TarEntry): number {
    if (result >= 0) return result;
    const hint =
      result === -errno("ENOTEMPTY") ? "the archive puts something else where a directory with contents is" : undefined;
    throw failed(result, `${show(this.#archive)}: unpack ${show(entry.name)}`, hint);
  }

  #split(entry: TarEntry, name: ByteString, what: string): ByteString[] {
    const split = splitName(name, this.#limits.maxDepth, MAX_PATH);
    if ("problem" in split) throw this.#refuse(entry, `${what}${split.problem}`);
    return split.parts;
  }

  /** The descriptor of the directory that holds the name, and the name. */
  #place(entry: TarEntry, parts: readonly ByteString[], create: boolean): number {
    const parents = parts.slice(0, -1);
    const fd = this.#tree.directory(parents, create ? (path) => this.#implied(path) : undefined);
    if (fd === -errno("ENOTDIR")) throw this.#refuse(entry, `'${show(parents.join("/"))}' leads through a link or a file`);
    return this.#check(fd, entry);
  }

  /** A parent that no entry spoke of yet: 0755, ours, its time left alone. */
  #implied(path: ByteString): void {
    this.#directories.set(path, { mode: 0o755, uid: -1, gid: -1, mtime: { seconds: 0, nanoseconds: -1 } });
  }

  async add(entry: TarEntry, reader: TarReader): Promise<void> {
    const { report } = this;
    if (++report.entries > this.#limits.maxEntries) throw this.#refuse(entry, `more than ${this.#limits.maxEntries} entries`);
    report.bytes += entry.type === "file" ? entry.size : 0;
    if (report.bytes > this.#limits.maxBytes) throw this.#refuse(entry, `more than ${this.#limits.maxBytes} bytes`);
    report.skipped.xattrs += entry.xattrs;
    // 4294967295 is chown(2)'s "leave it as it is"
    if (![entry.uid, entry.gid].every((id) => id >= 0 && id < 0xffffffff)) throw this.#refuse(entry, "owner out of range");
    const parts = this.#split(entry, entry.name, "");
    if (entry.type === "directory") return this.#directory(entry, parts);
    const name = parts.at(-1);
    if (name === undefined) throw this.#refuse(entry, "the root itself can only be a directory");
    const parent = this.#place(entry, parts, true);
    if (entry.type === "file") await this.#file(entry, reader, parent, name, parts);
    else if (entry.type === "symlink") this.#symlink(entry, parent, name, parts);
    else if (entry.type === "hardlink") this.#hardlink(entry, name, parts);
    else this.#node(entry, parent, name, parts);
  }

  #directory(entry: TarEntry, parts: readonly ByteString[]): void {
    const name = parts.at(-1);
    if (name !== undefined) {
      const parent = this.#place(entry, parts, true);
      const made = sys("mkdirat", parent, cstr(name), 0o700);
      if (made === EEXIST) {
        if (this.#tree.directory(parts) < 0) {
          this.#check(removeName(this.#place(entry, parts, false), name), entry);
          this.#check(sys("mkdirat", this.#place(entry, parts, false), cstr(name), 0o700), entry);
        }
      } else this.#check(made, entry);
    }
    this.#directories.set(parts.join("/"), { mode: this.#mode(entry), uid: entry.uid, gid: entry.gid, mtime: entry.mtime });
    this.report.directories++;
  }

  /** Runs a call that makes `name`; when something has it already, that is removed and the call made again. */
  #make(entry: TarEntry, parent: number, parts: readonly ByteString[], call: () => number): number {
    const result = call();
    if (result !== EEXIST) return this.#check(result, entry);
    this.#check(removeName(parent, parts.at(-1) ?? ""), entry);
    this.#directories.delete(parts.join("/"));
    return this.#check(call(), entry);
  }

  async #file(entry: TarEntry, reader: TarReader, parent: number, name: ByteString, parts: ByteString[]): Promise<void> {
    const fd = this.#make(entry, parent, parts, () => sys("openat", parent, cstr(name), FILE, 0o600));
    try {
      for (let left = entry.size; left > 0; ) {
        const piece = await reader.body();
        if (!piece) break;
        left -= piece.length;
        for (let at = 0; at < piece.length; ) {
          const written = this.#check(sys("write", fd, piece.subarray(at), piece.length - at), entry);
          if (written === 0) throw this.#refuse(entry, "nothing more can be written");
          at += written;
        }
      }
      const given = this.#given(entry, parts, entry.mode & 0o6000 && entry.mode);
      const mode = this.#mode(entry, given);
      if (given && this.#owners) this.#check(sys("fchown", fd, entry.uid, entry.gid), entry);
      this.#check(sys("fchmod", fd, mode), entry);
      this.#check(sys("utimensat", fd, null, this.#time(entry.mtime), 0), entry);
    } finally {
      sys("close", fd);
    }
    this.report.files++;
  }

  #symlink(entry: TarEntry, parent: number, name: ByteString, parts: ByteString[]): void {
    const target = entry.linkname;
    if (target === "" || target.length >= MAX_PATH) throw this.#refuse(entry, `link target of ${target.length} bytes`);
    if (target.includes("\0")) throw this.#refuse(entry, "NUL in the link target");
    this.#make(entry, parent, parts, () => sys("symlinkat", cstr(target), parent, cstr(name)));
    this.#ownAndTime(entry, parent, parts);
    this.report.symlinks++;
  }

  #hardlink(entry: TarEntry, name: ByteString, parts: ByteString[]): void {
    const target = this.#split(entry, entry.linkname, "hard link target: ");
    const base = target.at(-1);
    if (base === undefined) throw this.#refuse(entry, "hard link to the root");
    if (target.join("/") === parts.join("/")) throw this.#refuse(entry, "hard link to itself");
    // the chain of descriptors holds one path at a time: the target's directory is kept by a descriptor of its own
    const from = this.#check(
      sys("openat", this.#place(entry, target, false), ".", O.O_PATH | O.O_DIRECTORY | O.O_CLOEXEC, 0),
      entry,
    );
    try {
      const parent = this.#place(entry, parts, true);
      this.#make(entry, parent, parts, () => sys("linkat", from, cstr(base), parent, cstr(name), 0));
      this.#later?.(parts.join("/"), undefined); // its owner is the target's
    } finally {
      sys("close", from);
    }
    this.report.hardlinks++;
  }

  #node(entry: TarEntry, parent: number, name: ByteString, parts: ByteString[]): void {
    if (!this.#devices) {
      this.report.skipped.devices++;
      return;
    }
    const kind = entry.type === "fifo" ? S.S_IFIFO : entry.type === "char" ? S.S_IFCHR : S.S_IFBLK;
    if (entry.major < 0 || entry.major > 0xfff || entry.minor < 0 || entry.minor > 0xfffff) {
      throw this.#refuse(entry, `device number ${entry.major}:${entry.minor} out of range`);
    }
    // mknod(2)'s 32-bit dev_t: include/linux/kdev_t.h, new_encode_dev
    const dev = (entry.minor & 0xff) | (entry.major << 8) | ((entry.minor & ~0xff) << 12);
    this.#make(entry, parent, parts, () => sys("mknodat", parent, cstr(name), kind | 0o600, dev >>> 0));
    this.#ownAndTime(entry, parent, parts);
    // fchmodat(2) would follow a link put in its place: by descriptor, as glibc does for AT_SYMLINK_NOFOLLOW
    const fd = this.#check(sys("openat", parent, cstr(name), O.O_PATH | O.O_NOFOLLOW | O.O_CLOEXEC, 0), entry);
    try {
      this.#check(sys("fchmodat", AT_FDCWD, `/proc/self/fd/${fd}`, this.#mode(entry)), entry);
      this.#check(sys("utimensat", parent, cstr(name), this.#time(entry.mtime), AT.AT_SYMLINK_NOFOLLOW), entry);
    } finally {
      sys("close", fd);
    }
    this.report.devices++;
  }

  #ownAndTime(entry: TarEntry, parent: number, parts: readonly ByteString[]): void {
    const name = parts.at(-1) ?? "";
    if (this.#given(entry, parts) && this.#owners)
      this.#check(sys("fchownat", parent, cstr(name), entry.uid, entry.gid, AT.AT_SYMLINK_NOFOLLOW), entry);
    this.#check(sys("utimensat", parent, cstr(name), this.#time(entry.mtime), AT.AT_SYMLINK_NOFOLLOW), entry);
  }

  /** Whether the owner is right, now or later; counts where not. */
  #given(data: Metadata, parts: readonly ByteString[], setid = 0): boolean {
    const { uid, gid } = data;
    let given = uid === this.#uid && gid === this.#gid;
    if (this.#later) given = this.#later(parts.join("/"), { uid, gid, setid });
    else if (this.#owners) given = this.#mapped?.(uid, gid) ?? true;
    if (!given) this.report.skipped.owners++;
    return given;
  }

  #mode(entry: TarEntry, given = true): number {
    const keep = this.#setid === "owned" ? given : this.#setid;
    if (keep || (entry.mode & 0o6000) === 0) return entry.mode;
    this.report.skipped.setid++;
    return entry.mode & ~0o6000;
  }

  /** Two struct timespec: access time left alone (UTIME_OMIT, linux/stat.h), modification time as given. */
  #time(time: TarTime): Uint8Array {
    const view = new DataView(this.#times.buffer);
    view.setBigInt64(8, BigInt(UTIME_OMIT), true);
    view.setBigInt64(16, BigInt(time.seconds), true);
    view.setBigInt64(24, BigInt(time.nanoseconds < 0 ? UTIME_OMIT : time.nanoseconds), true);
    return this.#times;
  }

  /** Owners, modes and times of directories, deepest first: making something in one changes its time. */
  finish(): void {
    const paths = [...this.#directories.keys()].sort().reverse();
    for (const path of paths) {
      const data = this.#directories.get(path);
      const parts = path === "" ? [] : path.split("/");
      const found = this.#tree.directory(parts);
      if (!data || found < 0) continue; // replaced by a later entry
      const doing = `${show(this.#archive)}: finish directory ${show(path)}`;
      const fd = must(doing, "openat", found, ".", O.O_RDONLY | O.O_DIRECTORY | O.O_CLOEXEC, 0);
      try {
        if (data.uid >= 0 && this.#given(data, parts) && this.#owners) must(doing, "fchown", fd, data.uid, data.gid);
        must(doing, "fchmod", fd, data.mode);
        must(doing, "utimensat", fd, null, this.#time(data.mtime), 0);
      } finally {
        sys("close", fd);
      }
    }
  }
}
