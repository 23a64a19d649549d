/**
 * Owners, modes and times. Modes are those of the archive whatever the umask, set after the owner (chown clears set-id bits);
 * directories get theirs at the end: making something in one changes its time, and one without permission could not be filled.
 */
import { O } from "../ffi/flags.ts";
import { bytes, must, sys } from "../ffi/syscall.ts";
import type { Steps } from "../turn.ts";
import { GUARDS } from "./guards.ts";
import { type ByteString, cstr, show, showText } from "./names.ts";
import { statFd } from "./stat.ts";
import type { TarEntry } from "./tar.ts";
import type { TarTime } from "./tar-pax.ts";
import type { UnpackOptions, UnpackReport } from "./unpack-options.ts";
import type { Site } from "./unpack-site.ts";

type Data = Pick<TarEntry, "mode" | "uid" | "gid" | "mtime">;

const UTIME_OMIT = 0x3ffffffe;
const SETID = 0o6000;
/** A parent that no entry spoke of yet: 0755, ours, its time left alone. */
const IMPLIED: Data = { mode: 0o755, uid: -1, gid: -1, mtime: { seconds: 0, nanoseconds: -1 } };

export class Metadata {
  readonly #uid = sys("geteuid");
  readonly #gid = sys("getegid");
  readonly #owners: boolean;
  readonly #setid: boolean | "owned";
  readonly #mapped: UnpackOptions["mapped"];
  readonly #later: UnpackOptions["later"];
  #born: boolean | undefined;
  readonly #directories = new Map<ByteString, Data>();
  readonly #times = bytes(32);
  readonly #timesView = new DataView(this.#times.buffer);

  constructor(
    readonly site: Site,
    readonly report: UnpackReport,
    options: UnpackOptions,
  ) {
    this.#owners = options.owners ?? this.#uid === 0;
    this.#setid = options.setid ?? this.#owners;
    this.#mapped = options.mapped;
    this.#later = this.#owners ? undefined : options.later;
    site.implied = (path) => void this.#directories.set(path, IMPLIED);
    site.removed = (path) => GUARDS.replaced(this.#directories, path);
    this.#timesView.setUint32(8, UTIME_OMIT, true);
  }

  /** Of a regular file, through its descriptor. */
  ofFile(entry: TarEntry, fd: number, parts: readonly ByteString[]): void {
    const given = this.#given(entry, parts, entry.mode & SETID && entry.mode);
    const mode = this.#mode(entry, given);
    if (given && this.#owners && !this.#bornSo(entry, fd)) this.site.check(sys("fchown", fd, entry.uid, entry.gid), entry);
    this.site.check(sys("fchmod", fd, mode), entry);
    this.site.check(sys("utimensat", fd, null, this.#time(entry.mtime), 0), entry);
    if (mode & SETID) this.report.setid++;
  }

  /**
   * Whether a new file has the owner already that it is to get: most of a root's files are root's. Seen at the first: below a
   * directory that was empty all have the same parents' set-gid bit, and the same mount's grpid option.
   */
  #bornSo({ uid, gid }: TarEntry, fd: number): boolean {
    if (uid !== this.#uid || gid !== this.#gid || !this.site.fresh) return false;
    if (this.#born === undefined) {
      const stat = statFd(fd);
      this.#born = stat.uid === uid && stat.gid === gid;
    }
    return this.#born;
  }

  /** Owner and time of a link or node, which nothing may follow. */
  ofName(entry: TarEntry, parent: number, parts: readonly ByteString[]): void {
    const name = cstr(parts.at(-1) ?? "");
    if (this.#given(entry, parts) && this.#owners)
      this.site.check(sys("fchownat", parent, name, entry.uid, entry.gid, GUARDS.metadata), entry);
    this.site.check(sys("utimensat", parent, name, this.#time(entry.mtime), GUARDS.metadata), entry);
  }

  /** The mode to make a node with, under a umask of 0. */
  nodeMode(entry: TarEntry): number {
    return this.#mode(entry, true) & ~SETID; // set-id bits mean nothing there
  }

  ofDirectory(entry: TarEntry, parts: readonly ByteString[]): void {
    const path = parts.join("/");
    this.site.budget.hold(path, () => this.site.where(entry));
    this.#directories.set(path, { mode: this.#mode(entry), uid: entry.uid, gid: entry.gid, mtime: entry.mtime });
  }

  /** A second name of a file: its owner is that of the first. */
  ofLink(parts: readonly ByteString[]): void {
    this.#later?.(parts.join("/"), undefined);
  }

  /** Whether the owner is right, now or later; counts where not. `setid`: the whole mode of a file with such bits. */
  #given(data: Data, parts: readonly ByteString[], setid = 0): boolean {
    const { uid, gid } = data;
    let given = uid === this.#uid && gid === this.#gid;
    if (this.#later) {
      const path = parts.join("/");
      this.site.budget.hold(path, () => "");
      given = this.#later(path, { uid, gid, setid });
    } else if (this.#owners) given = this.#mapped?.(uid, gid) ?? true;
    if (!given) this.report.skipped.owners++;
    return given;
  }

  #mode(entry: TarEntry, given = true): number {
    if ((entry.mode & SETID) === 0) return entry.mode;
    if (this.#setid === "owned" ? given : this.#setid) return entry.mode;
    this.report.skipped.setid++;
    return entry.mode & ~SETID;
  }

  /** Two struct timespec: access time left alone (UTIME_OMIT, linux/stat.h), modification time as given. */
  #time({ seconds, nanoseconds }: TarTime): Uint8Array {
    this.#timesView.setUint32(16, seconds >>> 0, true); // the low half, as ToUint32 makes it of negative numbers too
    this.#timesView.setInt32(20, Math.floor(seconds / 2 ** 32), true);
    this.#timesView.setUint32(24, nanoseconds < 0 ? UTIME_OMIT : nanoseconds, true);
    return this.#times;
  }

  /** Owners, modes and times of directories, deepest first, one a step. */
  *finish(): Steps {
    const paths = [...this.#directories.keys()].sort().reverse();
    for (const path of paths) {
      yield;
      const data = this.#directories.get(path);
      const parts = path === "" ? [] : path.split("/");
      const found = this.site.tree.directory(parts);
      if (!data || found < 0) continue; // replaced by a later entry
      const doing = `${showText(this.site.archive)}: finish directory ${show(path)}`;
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
