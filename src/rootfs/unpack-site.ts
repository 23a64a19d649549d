/** Where an archive is unpacked: names become directory descriptors, failed calls become errors that name the entry. */
import type { UsageError } from "../errors.ts";
import { errno } from "../ffi/errno.ts";
import { O } from "../ffi/flags.ts";
import { failed, sys } from "../ffi/syscall.ts";
import { GUARDS } from "./guards.ts";
import { type Budget, over, type UnpackLimits } from "./limits.ts";
import { type ByteString, show, showText } from "./names.ts";
import type { TarEntry } from "./tar.ts";
import { list, removeName, Tree } from "./tree.ts";

const EEXIST = -errno("EEXIST");
const EPERM = -errno("EPERM");
const ENOTEMPTY = -errno("ENOTEMPTY");
const ENOTDIR = -errno("ENOTDIR");

function hintFor(result: number, { type }: TarEntry): string | undefined {
  if (result === ENOTEMPTY) return "the archive puts something else where a directory with contents is";
  const device = type === "char" || type === "block";
  return device && result === EPERM ? "device nodes need root outside of all user namespaces" : undefined;
}

function isEmpty(dirFd: number): boolean {
  const fd = sys("openat", dirFd, ".", O.O_RDONLY | O.O_DIRECTORY | O.O_CLOEXEC, 0);
  if (fd < 0) return false; // not readable: not known
  try {
    return list(fd).length === 0;
  } finally {
    sys("close", fd);
  }
}

export class Site implements Disposable {
  readonly tree: Tree;
  /** There was nothing at the start: every directory below is one that we made. */
  readonly fresh: boolean;
  /** Is told the path of a directory that no entry spoke of before something was put into it. */
  implied: (path: ByteString) => void = () => {};
  /** Is told the path of a name that was removed to make room. */
  removed: (path: ByteString) => void = () => {};

  constructor(
    rootFd: number,
    readonly archive: string,
    readonly budget: Budget,
  ) {
    this.tree = new Tree(rootFd);
    this.fresh = isEmpty(rootFd);
  }

  [Symbol.dispose](): void {
    this.tree[Symbol.dispose]();
  }

  where = (entry: TarEntry): string => ` (entry ${show(entry.name)})`;

  refuse(entry: TarEntry, what: string, limit?: keyof UnpackLimits): UsageError {
    return over(`${showText(this.archive)}: ${what}${this.where(entry)}`, limit);
  }

  /** `result`, or the SyscallError of a negative one. */
  check(result: number, entry: TarEntry): number {
    if (result >= 0) return result;
    throw failed(result, `${showText(this.archive)}: unpack ${show(entry.name)}`, hintFor(result, entry));
  }

  split(entry: TarEntry, name: ByteString, what: string): ByteString[] {
    const { maxDepth, maxPath } = this.budget.limits;
    const split = GUARDS.split(name, maxDepth, maxPath);
    if ("problem" in split) throw this.refuse(entry, `${what}${split.problem}`, split.limit);
    return split.parts;
  }

  /** The descriptor of the directory that holds a name, valid until the next one is asked for. */
  place(entry: TarEntry, parts: readonly ByteString[], create: boolean): number {
    const made = (path: ByteString): void => {
      this.budget.entry(() => this.where(entry)); // 128 of them for one entry would be a way round the limit
      this.implied(path);
    };
    const fd = this.tree.directory(parts, create ? made : undefined, Math.max(parts.length - 1, 0));
    if (fd === ENOTDIR) throw this.refuse(entry, `'${show(parts.slice(0, -1).join("/"))}' leads through a link or a file`);
    return this.check(fd, entry);
  }

  /** Runs a call that makes a name; when something has it already, that is removed and the call made again. */
  make(entry: TarEntry, parent: number, parts: readonly ByteString[], call: () => number): number {
    const result = call();
    if (result !== EEXIST) return this.check(result, entry);
    this.check(removeName(parent, parts.at(-1) ?? ""), entry);
    this.removed(parts.join("/"));
    return this.check(call(), entry);
  }

  /** A directory of that name, also where a link or a file had it. */
  makeDirectory(entry: TarEntry, parts: readonly ByteString[], call: (parent: number) => number): void {
    const made = call(this.place(entry, parts, true));
    if (made !== EEXIST) this.check(made, entry);
    else if (this.tree.directory(parts) < 0) {
      this.check(removeName(this.place(entry, parts, false), parts.at(-1) ?? ""), entry);
      this.check(call(this.place(entry, parts, false)), entry);
    }
  }
}
