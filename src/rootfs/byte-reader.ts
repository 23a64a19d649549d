/** Exact reads from a stream of chunks of any size, without copying where a chunk holds what is asked. */
export class ByteReader {
  #iterator: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array(0);
  #at = 0;
  constructor(stream: AsyncIterable<Uint8Array>) {
    this.#iterator = stream[Symbol.asyncIterator]();
  }

  /** What is here already, at most `limit` bytes; undefined when nothing is: then await {@link more}. */
  here(limit: number): Uint8Array | undefined {
    const left = this.#chunk.length - this.#at;
    if (left === 0) return undefined;
    const take = Math.min(left, limit);
    this.#at += take;
    return this.#chunk.subarray(this.#at - take, this.#at);
  }

  /** Exactly `length` bytes behind `skip` others, when all are here already; else undefined and nothing is taken. */
  take(length: number, skip = 0): Uint8Array | undefined {
    const from = this.#at + skip;
    if (this.#chunk.length - from < length) return undefined;
    this.#at = from + length;
    return this.#chunk.subarray(from, this.#at);
  }

  /** Fetches the next chunk once the last is used up; false at the end. */
  async more(): Promise<boolean> {
    while (this.#at === this.#chunk.length) {
      const next = await this.#iterator.next();
      if (next.done) return false;
      this.#chunk = next.value;
      this.#at = 0;
    }
    return true;
  }

  /** Exactly `length` bytes, or fewer at the end of the stream. */
  async exactly(length: number): Promise<Uint8Array> {
    const first = this.here(length);
    if (first?.length === length) return first;
    const out = new Uint8Array(new ArrayBuffer(length));
    out.set(first ?? []);
    let filled = first?.length ?? 0;
    while (filled < length && (await this.more())) {
      const piece = this.here(length - filled);
      if (!piece) continue;
      out.set(piece, filled);
      filled += piece.length;
    }
    return out.subarray(0, filled);
  }

  /** Passes over `length` bytes; the number that were there. */
  async skip(length: number): Promise<number> {
    let done = 0;
    while (done < length) {
      const piece = this.here(length - done);
      if (piece) done += piece.length;
      else if (!(await this.more())) break;
    }
    return done;
  }

  /** Ends the stream early, so that its source can be closed. */
  async close(): Promise<void> {
    await this.#iterator.return?.();
  }
}
