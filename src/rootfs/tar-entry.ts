/** One member of an archive, from its header and the extended headers before it. Pure. */
import { GUARDS } from "./guards.ts";
import type { ByteString } from "./names.ts";
import { HeaderProblem, type TarHeader } from "./tar-header.ts";
import { type PaxRecords, paxInteger, paxTime, type TarTime } from "./tar-pax.ts";
import { oldSparse, paxSparse, type Segment, type Sparse } from "./tar-sparse.ts";

const TYPES = {
  "0": "file",
  "\0": "file",
  "7": "file", // contiguous, which no system of today knows
  "1": "hardlink",
  "2": "symlink",
  "3": "char",
  "4": "block",
  "5": "directory",
  "6": "fifo",
  S: "file",
} as const;
const UNWANTED: Record<string, string> = {
  M: "multi-volume archives are not supported",
  D: "incremental archives are not supported",
  N: "old GNU long names are not supported",
};

/** `name` and `linkname` are byte strings exactly as stored: nothing has been checked about where they lead. */
export interface TarEntry {
  readonly name: ByteString;
  readonly type: (typeof TYPES)[keyof typeof TYPES];
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of the body; of a file with holes those that it will have. */
  readonly size: number;
  /** Of a file with holes: the parts that the body holds. */
  readonly sparse?: readonly Segment[];
  readonly mtime: TarTime;
  readonly linkname: ByteString;
  readonly major: number;
  readonly minor: number;
  /** Names of the extended attributes that came with it (pax `SCHILY.xattr.*`, `LIBARCHIVE.xattr.*`). */
  readonly xattrs: readonly string[];
}

/** What extended headers say of the next member (`x`, `L`, `K`) and of all that follow (`g`). */
export interface Extensions {
  local: PaxRecords;
  global: PaxRecords;
  longName: ByteString | undefined;
  longLink: ByteString | undefined;
}

/** The records in force: own ones before global ones. */
function merged({ local, global }: Extensions): PaxRecords {
  if (global.size === 0) return local;
  return local.size === 0 ? global : new Map([...global, ...local]);
}

const NONE: readonly string[] = [];

/** Throws {@link HeaderProblem}. */
export function tarEntry(header: TarHeader, extensions: Extensions): { entry: TarEntry; sparse: Sparse | undefined } {
  const pax = merged(extensions);
  const name = pax.get("GNU.sparse.name") || pax.get("path") || (extensions.longName ?? header.name);
  const kind = TYPES[header.type as keyof typeof TYPES];
  if (!kind) throw new HeaderProblem(UNWANTED[header.type] ?? `unknown entry type ${JSON.stringify(header.type)}`);
  // a v7 directory is a file whose name ends with a slash; links have no body whatever their size says (GNU tar's list.c)
  const type = kind === "file" && name.endsWith("/") ? "directory" : kind;
  const sparse = header.block ? oldSparse(header.block) : pax.size > 0 && type === "file" ? paxSparse(pax) : undefined;
  const entry: TarEntry = {
    name,
    type,
    mode: header.mode,
    uid: paxInteger(pax, "uid") ?? header.uid,
    gid: paxInteger(pax, "gid") ?? header.gid,
    size: type === "hardlink" || type === "symlink" ? 0 : (paxInteger(pax, "size") ?? header.size),
    mtime: paxTime(pax, "mtime") ?? { seconds: header.mtime, nanoseconds: 0 },
    linkname: pax.get("linkpath") || (extensions.longLink ?? header.linkname),
    major: header.major,
    minor: header.minor,
    xattrs: pax.size === 0 ? NONE : attributes(pax),
  };
  return { entry, sparse };
}

const XATTR = /^(?:SCHILY|LIBARCHIVE)\.xattr\.(.*)$/s;

/** Libarchive and newer GNU tars write bytes of the names as %XX. */
function attributes(pax: PaxRecords): string[] {
  const names = [...pax.keys()].map((key) => XATTR.exec(key)?.[1]).filter((name) => name !== undefined);
  return names.map((name) =>
    name.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
  );
}

/** A GNU long name's body: the name, terminated. */
export function longName(text: ByteString): ByteString {
  const name = text.replace(/\0$/, "");
  if (GUARDS.nul(name)) throw new HeaderProblem("NUL in a long name");
  return name;
}
