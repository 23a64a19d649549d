type State = "magic" | "descriptor" | "block" | "skippable";

/**
 * Follows the frames of a zstd stream without decoding them: Bun's decoder (1.4.5) says nothing when the stream ends in the
 * middle of a frame. RFC 8878, 3.1.1: magic, frame header, blocks, checksum; 3.1.2: skippable frames.
 */
export class ZstdFrames {
  #need = 4;
  #header: number[] = [];
  #skip = 0;
  #state: State = "magic";
  #checksum = false;

  /** Whether the stream may end here. */
  get complete(): boolean {
    return this.#state === "magic" && this.#header.length === 0 && this.#skip === 0;
  }

  /** Takes the next bytes in; false: this is no frame. */
  push(chunk: Uint8Array): boolean {
    for (let at = 0; at < chunk.length; ) {
      const skipped = Math.min(this.#skip, chunk.length - at);
      this.#skip -= skipped;
      at += skipped;
      while (this.#skip === 0 && at < chunk.length && this.#header.length < this.#need) this.#header.push(chunk[at++] ?? 0);
      if (this.#header.length === this.#need && !this.#step()) return false;
    }
    return true;
  }

  #next(state: State, need: number, skip: number): true {
    this.#header = [];
    this.#state = state;
    this.#need = need;
    this.#skip = skip;
    return true;
  }

  #step(): boolean {
    const [a = 0, b = 0, c = 0, d = 0] = this.#header;
    const value = a + b * 0x100 + c * 0x10000 + d * 0x1000000;
    if (this.#state === "magic") {
      if (value === 0xfd2fb528) return this.#next("descriptor", 1, 0);
      return value >>> 4 === 0x184d2a5 ? this.#next("skippable", 4, 0) : false;
    }
    if (this.#state === "skippable") return this.#next("magic", 4, value);
    if (this.#state === "descriptor") {
      const single = (a & 0x20) !== 0;
      this.#checksum = (a & 4) !== 0;
      const contentSize = [single ? 1 : 0, 2, 4, 8][a >> 6] ?? 0;
      return this.#next("block", 3, (single ? 0 : 1) + ([0, 1, 2, 4][a & 3] ?? 0) + contentSize);
    }
    const type = (a >> 1) & 3;
    if (type === 3) return false;
    const body = type === 1 ? 1 : value >>> 3; // an RLE block has one byte
    return a & 1 ? this.#next("magic", 4, body + (this.#checksum ? 4 : 0)) : this.#next("block", 3, body);
  }
}
