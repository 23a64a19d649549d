/**
 * Unpacks a tar stream below a directory descriptor so that nothing outside it can be touched, whatever the archive says:
 *
 * - a leading `/` is taken off (as tar), `.` is dropped, `..` is refused, in names and in the targets of hard links;
 * - parents are opened one component at a time without following links; a name below a link or a file is an error;
 * - files are made with O_EXCL|O_NOFOLLOW: what had the name is unlinked first, never written through;
 * - symbolic links are text; hard links are made to the name itself, not to what it points at;
 * - a directory replaces a link or file of its name; anything else replaces a directory only when that is empty;
 * - what overlayfs takes for "this name is deleted" is refused, device nodes are made only when asked for.
 *
 * Sources: CVE list in docs/design/0015-tarballs.md, openat(2), GNU tar manual "Security".
 */
import { O, S } from "../ffi/flags.ts";
import { sys } from "../ffi/syscall.ts";
import { inTurns, isDue, type Steps, turn } from "../turn.ts";
import { GUARDS } from "./guards.ts";
import { Budget, LIMITS } from "./limits.ts";
import { type ByteString, cstr, show, showText } from "./names.ts";
import { type TarEntry, TarReader } from "./tar.ts";
import { Files } from "./unpack-file.ts";
import { Metadata } from "./unpack-metadata.ts";
import { emptyReport, type UnpackOptions, type UnpackReport } from "./unpack-options.ts";
import { Site } from "./unpack-site.ts";

export type { Owner, UnpackOptions, UnpackReport } from "./unpack-options.ts";

/**
 * Unpacks all of `stream` (plain tar) below the directory `rootFd`. Throws UsageError (archive) or SyscallError (system). The calls
 * are made on the JS thread, which writes as fast as another would, in slices.
 */
export async function unpackTar(
  stream: AsyncIterable<Uint8Array>,
  rootFd: number,
  options: UnpackOptions = {},
): Promise<UnpackReport> {
  const archive = options.archive ?? "archive";
  const asked = Object.entries(options).filter(([key, value]) => key in LIMITS && value !== undefined);
  const budget = new Budget({ ...LIMITS, ...Object.fromEntries(asked) }, showText(archive));
  const reader = new TarReader(stream, archive, budget);
  using unpacker = new Unpacker(rootFd, archive, budget, options);
  try {
    for (;;) {
      const next = reader.next();
      const entry = next instanceof Promise ? await next : next; // of small files most need no waiting
      if (!entry) break;
      const contents = unpacker.add(entry, reader);
      if (contents) await contents;
      if (isDue()) await turn(options.signal);
    }
    await inTurns(unpacker.finish(), options.signal);
    return unpacker.report;
  } finally {
    await reader.close();
  }
}

const MAX_LINK = 4096; // symlink(2): PATH_MAX with its NUL
const NODES = { fifo: S.S_IFIFO, char: S.S_IFCHR, block: S.S_IFBLK } as const;

export class Unpacker implements Disposable {
  readonly report = emptyReport();
  readonly #site: Site;
  readonly #metadata: Metadata;
  readonly #files: Files;
  readonly #devices: boolean;

  constructor(rootFd: number, archive: string, budget: Budget, options: UnpackOptions) {
    this.#site = new Site(rootFd, archive, budget);
    this.#metadata = new Metadata(this.#site, this.report, options);
    this.#files = new Files(this.#site, this.#metadata, this.report);
    this.#devices = options.devices ?? false;
  }

  [Symbol.dispose](): void {
    this.#site[Symbol.dispose]();
  }

  /** What is done when all members are there, in steps. */
  finish(): Steps {
    return this.#metadata.finish();
  }

  /** Makes one member. Synchronous but for a file's contents that are not here yet. */
  add(entry: TarEntry, reader: TarReader): Promise<void> | undefined {
    this.report.entries++;
    this.#site.budget.entry(() => this.#site.where(entry));
    this.#checkEntry(entry);
    const parts = this.#site.split(entry, entry.name, "");
    if (entry.type === "directory") this.#directory(entry, parts);
    else if (parts.length === 0) throw this.#site.refuse(entry, "the root itself can only be a directory");
    else if (entry.type === "file") return this.#files.add(entry, reader, parts);
    else if (entry.type === "symlink") this.#symlink(entry, parts);
    else if (entry.type === "hardlink") this.#hardlink(entry, parts);
    else this.#node(entry, entry.type, parts);
    return undefined;
  }

  #checkEntry(entry: TarEntry): void {
    if (!GUARDS.owner(entry.uid) || !GUARDS.owner(entry.gid)) throw this.#site.refuse(entry, "owner out of range");
    if (GUARDS.whiteout(entry.type, entry.major, entry.minor))
      throw this.#site.refuse(entry, "an overlayfs whiteout (character device 0:0), which would hide a file");
    for (const attribute of entry.xattrs)
      if (GUARDS.overlayAttribute(attribute))
        throw this.#site.refuse(entry, `the attribute ${show(attribute)}, which would hide or redirect files`);
    this.report.skipped.xattrs += entry.xattrs.length;
  }

  #directory(entry: TarEntry, parts: readonly ByteString[]): void {
    const name = parts.at(-1);
    if (name !== undefined) this.#site.makeDirectory(entry, parts, (parent) => sys("mkdirat", parent, cstr(name), 0o700));
    this.#metadata.ofDirectory(entry, parts);
    this.report.directories++;
  }

  #symlink(entry: TarEntry, parts: readonly ByteString[]): void {
    const target = entry.linkname;
    if (target === "" || target.length >= MAX_LINK) throw this.#site.refuse(entry, `link target of ${target.length} bytes`);
    if (GUARDS.nul(target)) throw this.#site.refuse(entry, "NUL in the link target");
    const parent = this.#site.place(entry, parts, true);
    const name = cstr(parts.at(-1) ?? "");
    this.#site.make(entry, parent, parts, () => sys("symlinkat", cstr(target), parent, name));
    this.#metadata.ofName(entry, parent, parts);
    this.report.symlinks++;
  }

  #hardlink(entry: TarEntry, parts: readonly ByteString[]): void {
    const target = this.#site.split(entry, entry.linkname, "hard link target: ");
    const base = target.at(-1);
    if (base === undefined) throw this.#site.refuse(entry, "hard link to the root");
    if (target.join("/") === parts.join("/")) throw this.#site.refuse(entry, "hard link to itself");
    // the chain of descriptors holds one path at a time: the target's directory is kept by a descriptor of its own
    const directory = this.#site.place(entry, target, false);
    const from = this.#site.check(sys("openat", directory, ".", O.O_PATH | O.O_DIRECTORY | O.O_CLOEXEC, 0), entry);
    try {
      const parent = this.#site.place(entry, parts, true);
      const name = cstr(parts.at(-1) ?? "");
      this.#site.make(entry, parent, parts, () => sys("linkat", from, cstr(base), parent, name, GUARDS.link));
      this.#metadata.ofLink(parts);
    } finally {
      sys("close", from);
    }
    this.report.hardlinks++;
  }

  #node(entry: TarEntry, type: keyof typeof NODES, parts: readonly ByteString[]): void {
    const fifo = type === "fifo";
    if (!fifo && !this.#devices) {
      this.report.skipped.devices++;
      return;
    }
    const { major, minor } = fifo ? { major: 0, minor: 0 } : entry;
    if (major < 0 || major > 0xfff || minor < 0 || minor > 0xfffff)
      throw this.#site.refuse(entry, `device number ${major}:${minor} out of range`);
    // mknod(2)'s 32-bit dev_t: include/linux/kdev_t.h, new_encode_dev
    const dev = ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
    const parent = this.#site.place(entry, parts, true);
    const name = cstr(parts.at(-1) ?? "");
    // chmod(2) could be led through a link put in its place: the mode is right from the start, with no umask for one call
    const kind = NODES[type] | this.#metadata.nodeMode(entry);
    const umask = sys("umask", 0);
    try {
      this.#site.make(entry, parent, parts, () => sys("mknodat", parent, name, kind, dev));
    } finally {
      sys("umask", umask);
    }
    this.#metadata.ofName(entry, parent, parts);
    this.report[fifo ? "fifos" : "devices"]++;
  }
}
