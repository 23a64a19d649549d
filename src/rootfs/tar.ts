/**
 * Reads a tar stream: v7, ustar, pax (`x`, `g`) and GNU (`L`, `K`, base 256). Strict: what does not fit is an error that
 * names the archive and the entry, never a guess. Sources: POSIX.1 pax, GNU tar `src/tar.h`, libarchive tar(5).
 */
import { UsageError } from "../errors.ts";
import { ByteReader } from "./byte-reader.ts";
import { GUARDS } from "./guards.ts";
import { Budget, LIMITS } from "./limits.ts";
import { byteString, show, showText } from "./names.ts";
import { type Extensions, longName, type TarEntry, tarEntry } from "./tar-entry.ts";
import { BLOCK, HeaderProblem, isZero, parseHeader, type TarHeader } from "./tar-header.ts";
import { mergePax, NO_RECORDS, parsePax } from "./tar-pax.ts";
import { checkSegments, type Sparse, wholeMap } from "./tar-sparse.ts";

export type { TarEntry } from "./tar-entry.ts";

/** Types that are not members but say something of those that follow. */
const EXTENSIONS = new Set(["x", "X", "g", "L", "K", "V"]);
/** Types before which something has to be read that may not be here. */
const SLOW = new Set([...EXTENSIONS, "S"]);
const padding = (size: number): number => -size & (BLOCK - 1);

/** A stream of members: `next()`, then, if it is wanted, the body through `copy()`. What is not read is skipped. */
export class TarReader {
  readonly #in: ByteReader;
  readonly #extensions: Extensions = { local: NO_RECORDS, global: NO_RECORDS, longName: undefined, longLink: undefined };
  #last = "";
  #count = 0;
  #left = 0;
  #padding = 0;

  constructor(
    stream: AsyncIterable<Uint8Array>,
    readonly archive: string,
    readonly budget: Budget = new Budget(LIMITS, showText(archive)),
  ) {
    this.#in = new ByteReader(stream);
  }

  #where = (): string => (this.#last === "" ? "" : ` (entry ${show(this.#last)})`);

  #fail(what: string): UsageError {
    return new UsageError(`${showText(this.archive)}: ${what}${this.#where()}`);
  }

  /**
   * The next member, or undefined after the end marker and once the rest of the stream proved to be padding. A promise only
   * where something has to be waited for: of small files hundreds are in one chunk.
   */
  next(): TarEntry | undefined | Promise<TarEntry | undefined> {
    const block = this.#in.take(BLOCK, this.#left + this.#padding);
    if (!block) return this.#slowly(undefined);
    this.#left = this.#padding = 0;
    if (isZero(block)) return this.#end();
    const header = this.#header(block);
    return SLOW.has(header.type) ? this.#slowly(header) : this.#member(header).entry;
  }

  /** Gives the bytes of the body to `sink`, piece by piece, each valid during its call. A promise only where they are not here yet. */
  copy(sink: (piece: Uint8Array) => void): Promise<void> | undefined {
    const size = this.#left;
    if (size === 0) return undefined;
    const whole = this.#in.take(size);
    if (!whole) return this.#copySlowly(sink);
    this.#left = 0;
    sink(whole);
    return undefined;
  }

  async #copySlowly(sink: (piece: Uint8Array) => void): Promise<void> {
    while (this.#left > 0) {
      const piece = this.#in.here(this.#left);
      if (piece) {
        this.#left -= piece.length;
        sink(piece);
      } else if (!(await this.#in.more())) throw this.#fail("truncated archive");
    }
  }

  close(): Promise<void> {
    return this.#in.close();
  }

  /** From where `next()` cannot go on without waiting: `header` is one that was read already. */
  async #slowly(first: TarHeader | undefined): Promise<TarEntry | undefined> {
    let header = first ?? (await this.#nextHeader());
    for (; header && EXTENSIONS.has(header.type); header = await this.#nextHeader()) await this.#extend(header);
    if (header) {
      const { entry, sparse } = this.#member(header);
      return sparse ? await this.#holes(entry, sparse) : entry;
    }
    const { local, longName, longLink } = this.#extensions;
    if (local.size > 0 || longName !== undefined || longLink !== undefined) throw this.#fail("truncated archive");
    return undefined;
  }

  async #nextHeader(): Promise<TarHeader | undefined> {
    const rest = this.#left + this.#padding;
    this.#left = this.#padding = 0;
    if (rest > 0 && (await this.#in.skip(rest)) < rest) throw this.#fail("truncated archive");
    const block = await this.#in.exactly(BLOCK);
    if (block.length < BLOCK) {
      if (this.#count > 0) throw this.#fail(block.length > 0 ? "truncated archive" : "truncated archive: no end marker");
      throw this.#fail(`not a tar archive (${block.length === 0 ? "empty" : "too short"})`);
    }
    return isZero(block) ? await this.#end() : this.#header(block);
  }

  #header(block: Uint8Array): TarHeader {
    if (!GUARDS.checksum(block)) {
      throw this.#fail(this.#count > 0 ? "bad header checksum after" : "not a tar archive (no tar header at its start)");
    }
    this.#count++;
    const header = this.#attempt(() => parseHeader(block));
    if (!EXTENSIONS.has(header.type)) this.#last = header.name;
    return header;
  }

  async #end(): Promise<undefined> {
    for (;;) {
      const piece = this.#in.here(1 << 20);
      if (piece && GUARDS.trailing(piece)) throw this.#fail("data after the end of the archive");
      if (piece) this.budget.overhead(piece.length, this.#where);
      else if (!(await this.#in.more())) return undefined;
    }
  }

  /** Takes in what an extended header says. */
  async #extend(header: TarHeader): Promise<void> {
    const { size, type } = header;
    if (size > GUARDS.extension) throw this.#fail(`extended header of ${size} bytes (limit ${GUARDS.extension})`);
    this.budget.overhead(size, this.#where);
    const data = await this.#in.exactly(size);
    if (data.length < size) throw this.#fail("truncated archive");
    this.#padding = padding(size);
    const extensions = this.#extensions;
    this.#attempt(() => {
      if (type === "L") extensions.longName = longName(byteString(data));
      else if (type === "K") extensions.longLink = longName(byteString(data));
      else if (type === "g") extensions.global = mergePax(extensions.global, parsePax(data));
      else if (type !== "V") extensions.local = parsePax(data);
    });
  }

  /** The whole map of a file with holes. Its size counts as if there were none: who reads it later reads them all. */
  async #holes(entry: TarEntry, sparse: Sparse): Promise<TarEntry> {
    this.budget.bytes(Math.max(sparse.realSize - entry.size, 0), this.#where);
    try {
      const map = await wholeMap(sparse, () => this.#mapBlock());
      if (sparse.more === "body") this.#left -= map.blocks * BLOCK;
      checkSegments(map.segments, sparse.realSize, this.#left);
      return { ...entry, size: sparse.realSize, sparse: map.segments };
    } catch (error) {
      throw this.#named(error);
    }
  }

  async #mapBlock(): Promise<Uint8Array> {
    this.budget.overhead(BLOCK, this.#where);
    const block = await this.#in.exactly(BLOCK);
    if (block.length < BLOCK) throw this.#fail("truncated archive");
    return block;
  }

  #member(header: TarHeader): { entry: TarEntry; sparse: Sparse | undefined } {
    const extensions = this.#extensions;
    this.#last = extensions.local.get("path") || (extensions.longName ?? header.name);
    const member = this.#attempt(() => tarEntry(header, extensions));
    const { entry } = member;
    extensions.local = NO_RECORDS;
    extensions.longName = extensions.longLink = undefined;
    this.#last = entry.name;
    this.#left = entry.size;
    this.#padding = padding(entry.size);
    this.budget.bytes(entry.size, this.#where);
    return member;
  }

  #attempt<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw this.#named(error);
    }
  }

  #named = (error: unknown): unknown => (error instanceof HeaderProblem ? this.#fail(error.message) : error);
}
