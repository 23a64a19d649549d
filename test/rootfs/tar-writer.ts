/** Makes tar archives, also impossible ones, and a place to unpack them with a canary beside it. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Fd } from "../../src/ffi/fd.ts";
import { O } from "../../src/ffi/flags.ts";
import { type UnpackOptions, type UnpackReport, unpackTar } from "../../src/rootfs/unpack.ts";

export interface Member {
  readonly name: string;
  readonly type?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: number;
  readonly link?: string;
  readonly data?: string | Uint8Array;
  readonly major?: number;
  readonly minor?: number;
  /** Instead of the body's length. */
  readonly size?: number;
  readonly base256?: boolean;
  readonly badChecksum?: boolean;
  /** No magic: a v7 header. */
  readonly v7?: boolean;
  /** Bytes put into the header before its checksum is made. */
  readonly patch?: readonly (readonly [number, string])[];
}

export const octal = (value: number, length: number): string => `${value.toString(8).padStart(length - 1, "0")}\0`;

function base256(value: number, length: number): string {
  let out = "";
  for (let i = 0, rest = value; i < length; i++, rest = Math.floor(rest / 256)) {
    out = String.fromCharCode(i === length - 1 ? 0x80 | (rest & 0x7f) : rest & 0xff) + out;
  }
  return out;
}

/** One member: header and padded body. */
export function member(m: Member): Buffer {
  const data = Buffer.from(m.data ?? "");
  const block = Buffer.alloc(512);
  const number = m.base256 ? base256 : octal;
  block.write(m.name.slice(0, 100), 0, "latin1");
  block.write(octal(m.mode ?? (m.type === "5" ? 0o755 : 0o644), 8), 100, "latin1");
  block.write(number(m.uid ?? 0, 8), 108, "latin1");
  block.write(number(m.gid ?? 0, 8), 116, "latin1");
  block.write(number(m.size ?? data.length, 12), 124, "latin1");
  block.write(number(m.mtime ?? 1_600_000_000, 12), 136, "latin1");
  block.write(m.type ?? "0", 156, "latin1");
  block.write((m.link ?? "").slice(0, 100), 157, "latin1");
  if (!m.v7) block.write("ustar\x0000", 257, "latin1");
  block.write(octal(m.major ?? 0, 8), 329, "latin1");
  block.write(octal(m.minor ?? 0, 8), 337, "latin1");
  for (const [at, text] of m.patch ?? []) block.write(text, at, "latin1");
  block.fill(" ", 148, 156);
  const sum = block.reduce((a, b) => a + b, 0) + (m.badChecksum ? 1 : 0);
  block.write(`${octal(sum, 7)} `, 148, "latin1");
  return Buffer.concat([block, data, Buffer.alloc(-data.length & 511)]);
}

/** A pax header (`x` or `g`) of raw values. */
export function pax(records: Record<string, string>, type = "x"): Buffer {
  const body = Object.entries(records).map(([key, value]) => {
    const rest = Buffer.byteLength(` ${key}=${value}\n`);
    let length = rest + 1;
    while (rest + String(length).length !== length) length = rest + String(length).length;
    return `${length} ${key}=${value}\n`;
  });
  return member({ name: "pax", type, data: body.join("") });
}

export const END = Buffer.alloc(1024);
export const tar = (...parts: (Member | Buffer)[]): Buffer =>
  Buffer.concat([...parts.map((part) => (Buffer.isBuffer(part) ? part : member(part))), END]);

/** In pieces of a size that fits nothing. */
export async function* stream(data: Uint8Array, step = 1000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < data.length; at += step) yield data.subarray(at, at + step);
}

/** `…/target` to unpack into, beside `…/canary` that must stay as it is. Removed on dispose, which checks the canary. */
export class Place implements Disposable {
  readonly dir = mkdtempSync(join(tmpdir(), "nsrun-test-"));
  readonly target = join(this.dir, "target");
  readonly canary = join(this.dir, "canary");
  #before: string;
  constructor() {
    mkdirSync(this.target);
    mkdirSync(this.canary);
    writeFileSync(join(this.canary, "file"), "alive");
    this.#before = this.#state();
  }
  #state(): string {
    const seen = statSync(join(this.canary, "file"));
    const dir = statSync(this.canary);
    const names = `${readdirSync(this.dir)} ${readdirSync(this.canary)}`;
    return `${names} ${dir.mode} ${dir.uid} ${readFileSync(join(this.canary, "file"))} ${seen.mode} ${seen.uid} ${seen.mtimeMs} ${seen.nlink}`;
  }
  /** Throws when anything beside the target changed. */
  check(): void {
    if (this.#state() !== this.#before) throw new Error(`outside the target: ${this.#before} became ${this.#state()}`);
  }
  unpack(archive: Uint8Array, options: UnpackOptions = {}): Promise<UnpackReport> {
    return this.unpackOf(stream(archive), options);
  }
  async unpackOf(archive: AsyncIterable<Uint8Array>, options: UnpackOptions = {}): Promise<UnpackReport> {
    using root = Fd.from("open the target", "openat", -100, this.target, O.O_RDONLY | O.O_DIRECTORY | O.O_CLOEXEC, 0);
    try {
      return await unpackTar(archive, root.number, { archive: "x.tar", ...options });
    } finally {
      this.check();
    }
  }
  /** The message of the refusal. */
  refusal(archive: Uint8Array, options: UnpackOptions = {}): Promise<string> {
    return this.refusalOf(stream(archive), options);
  }
  async refusalOf(archive: AsyncIterable<Uint8Array>, options: UnpackOptions = {}): Promise<string> {
    return await this.unpackOf(archive, options).then(
      () => "unpacked",
      (error: unknown) => (error instanceof Error ? `${error.name}: ${error.message}` : String(error)),
    );
  }
  [Symbol.dispose](): void {
    try {
      rmSync(this.dir, { recursive: true, force: true });
    } catch {
      Bun.spawnSync(["chmod", "-R", "u+rwX", this.dir]); // an ordinary user cannot empty directories without permission
      rmSync(this.dir, { recursive: true, force: true });
    }
  }
}
