/**
 * Reads a tar stream: v7, ustar, pax (`x`, `g`) and GNU (`L`, `K`, base 256). Strict: what does not fit is an error that
 * names the archive and the entry, never a guess. Sources: POSIX.1 pax, GNU tar `src/tar.h`, libarchive tar(5).
 */
import { UsageError } from "../errors.ts";
import { ByteReader } from "./byte-reader.ts";
import { type ByteString, byteString, show } from "./names.ts";
import { BLOCK, checksumFits, HeaderProblem, isZero, parseHeader, type TarHeader } from "./tar-header.ts";
import { type PaxRecords, parsePax, paxInteger, paxTime, type TarTime } from "./tar-pax.ts";

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
} as const;
const UNWANTED: Record<string, string> = {
  S: "sparse files are not supported",
  M: "multi-volume archives are not supported",
  D: "incremental archives are not supported",
  N: "old GNU long names are not supported",
};
/** The body of a pax or GNU name entry is held in memory: this many bytes at most. */
const MAX_EXTENSION = 1 << 20;

/** One member. `name` and `linkname` are byte strings exactly as stored: nothing has been checked about where they lead. */
export interface TarEntry {
  readonly name: ByteString;
  readonly type: (typeof TYPES)[keyof typeof TYPES];
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of the body. */
  readonly size: number;
  readonly mtime: TarTime;
  readonly linkname: ByteString;
  readonly major: number;
  readonly minor: number;
  /** Extended attributes that came with it (pax `SCHILY.xattr.*`, `LIBARCHIVE.xattr.*`). */
  readonly xattrs: number;
}

/** A stream of members: `next()`, then, if it is wanted, the body through `body()`. What is not read is skipped. */
export class TarReader {
  #in: ByteReader;
  #archive: string;
  #last = "";
  #count = 0;
  #left = 0;
  #padding = 0;
  #global: PaxRecords = new Map();

  constructor(stream: AsyncIterable<Uint8Array>, archive: string) {
    this.#in = new ByteReader(stream);
    this.#archive = archive;
  }

  #fail(what: string): UsageError {
    return new UsageError(`${show(this.#archive)}: ${what}${this.#last === "" ? "" : ` (entry ${show(this.#last)})`}`);
  }

  /** The next member, or undefined after the end marker and once the rest of the stream proved to be padding. */
  async next(): Promise<TarEntry | undefined> {
    let local: PaxRecords = new Map();
    let longName: ByteString | undefined;
    let longLink: ByteString | undefined;
    let pending = false;
    for (;;) {
      await this.#finishBody();
      const header = await this.#header();
      if (!header) {
        if (pending) throw this.#fail("truncated archive");
        return undefined;
      }
      if (header.type === "x" || header.type === "X") local = await this.#pax(header);
      else if (header.type === "g") this.#global = new Map([...this.#global, ...(await this.#pax(header))]);
      else if (header.type === "L") longName = await this.#longName(header);
      else if (header.type === "K") longLink = await this.#longName(header);
      else if (header.type === "V") await this.#extension(header);
      else {
        const renamed = { ...header, name: longName ?? header.name, linkname: longLink ?? header.linkname };
        return this.#attempt(() => this.#entry(renamed, new Map([...this.#global, ...local])));
      }
      pending = header.type !== "g" && header.type !== "V";
    }
  }

  /** The bytes of the body that are there without waiting, or undefined at its end. Valid until the next call. */
  async body(): Promise<Uint8Array | undefined> {
    if (this.#left === 0) return undefined;
    for (;;) {
      const piece = this.#in.here(this.#left);
      if (piece) {
        this.#left -= piece.length;
        return piece;
      }
      if (!(await this.#in.more())) throw this.#fail("truncated archive");
    }
  }

  close(): Promise<void> {
    return this.#in.close();
  }

  async #finishBody(): Promise<void> {
    const rest = this.#left + this.#padding;
    this.#left = 0;
    this.#padding = 0;
    if (rest > 0 && (await this.#in.skip(rest)) < rest) throw this.#fail("truncated archive");
  }

  async #header(): Promise<TarHeader | undefined> {
    const block = await this.#in.exactly(BLOCK);
    if (block.length < BLOCK) {
      if (this.#count > 0) throw this.#fail(block.length > 0 ? "truncated archive" : "truncated archive: no end marker");
      throw this.#fail(`not a tar archive (${block.length === 0 ? "empty" : "too short"})`);
    }
    if (isZero(block)) {
      await this.#end();
      return undefined;
    }
    if (!checksumFits(block)) {
      throw this.#fail(this.#count > 0 ? "bad header checksum after" : "not a tar archive (no tar header at its start)");
    }
    this.#count++;
    const header = this.#attempt(() => parseHeader(block));
    if (header.type !== "x" && header.type !== "g" && header.type !== "L" && header.type !== "K") this.#last = header.name;
    return header;
  }

  /** After the end marker only zeros may come: a second archive behind the first would be dropped in silence. */
  async #end(): Promise<void> {
    for (;;) {
      const piece = this.#in.here(1 << 20);
      if (piece && !isZero(piece)) throw this.#fail("data after the end of the archive");
      if (!piece && !(await this.#in.more())) return;
    }
  }

  async #extension(header: TarHeader): Promise<Uint8Array> {
    if (header.size > MAX_EXTENSION) throw this.#fail(`extended header of ${header.size} bytes (limit ${MAX_EXTENSION})`);
    const data = await this.#in.exactly(header.size);
    if (data.length < header.size) throw this.#fail("truncated archive");
    this.#padding = -header.size & (BLOCK - 1);
    return data;
  }

  async #pax(header: TarHeader): Promise<PaxRecords> {
    const data = await this.#extension(header);
    return this.#attempt(() => parsePax(data));
  }

  async #longName(header: TarHeader): Promise<ByteString> {
    const name = byteString(await this.#extension(header)).replace(/\0$/, "");
    if (name.includes("\0")) throw this.#fail("NUL in a long name");
    return name;
  }

  #entry(header: TarHeader, pax: PaxRecords): TarEntry {
    this.#last = pax.get("path") || header.name;
    const kind = TYPES[header.type as keyof typeof TYPES];
    const keys = [...pax.keys()];
    if (keys.some((key) => key.startsWith("GNU.sparse."))) throw new HeaderProblem(UNWANTED.S ?? "");
    if (!kind) throw new HeaderProblem(UNWANTED[header.type] ?? `unknown entry type ${JSON.stringify(header.type)}`);
    // a v7 directory is a file whose name ends with a slash; links have no body whatever their size says (GNU tar's list.c)
    const type = kind === "file" && this.#last.endsWith("/") ? "directory" : kind;
    const size = type === "hardlink" || type === "symlink" ? 0 : (paxInteger(pax, "size") ?? header.size);
    this.#left = size;
    this.#padding = -size & (BLOCK - 1);
    return {
      name: this.#last,
      type,
      mode: header.mode,
      uid: paxInteger(pax, "uid") ?? header.uid,
      gid: paxInteger(pax, "gid") ?? header.gid,
      size,
      mtime: paxTime(pax, "mtime") ?? { seconds: header.mtime, nanoseconds: 0 },
      linkname: pax.get("linkpath") || header.linkname,
      major: header.major,
      minor: header.minor,
      xattrs: keys.filter((key) => /^(SCHILY|LIBARCHIVE)\.xattr\./.test(key)).length,
    };
  }

  #attempt<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw error instanceof HeaderProblem ? this.#fail(error.message) : error;
    }
  }
}
