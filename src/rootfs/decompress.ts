/**
 * What an archive is compressed with, seen by its first bytes (never by its name), and its bytes without that. gzip and
 * zstd are Bun's own; xz and bzip2 go through the programs of these names. Truncated or trailing data is an error.
 */
import { Readable } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { NsrunError, UsageError } from "../errors.ts";
import { LIMITS, over, RATIO_FROM } from "./limits.ts";
import { show } from "./names.ts";
import { ZstdFrames } from "./zstd-frames.ts";

/** `[name, magic]`; sources: RFC 1952, RFC 8878, xz-file-format.txt, bzip2's manual. */
const MAGIC: readonly (readonly [Compression, readonly number[]])[] = [
  ["gzip", [0x1f, 0x8b]],
  ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]],
  ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
  ["bzip2", [0x42, 0x5a, 0x68]],
];
const PROGRAMS = { xz: "xz-utils", bzip2: "bzip2" } as const;
/** Kinds of files that people give by mistake. */
const OTHERS: Record<string, string> = {
  "PK\x03\x04": "a zip file",
  "\x7fELF": "a program",
  hsqs: "a squashfs image",
  "!<arch>": "a Debian package",
  "\xed\xab\xee\xdb": "an RPM package",
  "7z\xbc\xaf": "a 7-Zip file",
  "\x04\x22\x4d\x18": "lz4, which is not supported",
  "#!": "a script",
};

export type Compression = "gzip" | "xz" | "zstd" | "bzip2";

/** The compression of a file that starts with `head`; undefined: none of them. */
export function compressionOf(head: Uint8Array): Compression | undefined {
  // a zstd file may start with a skippable frame (RFC 8878, 3.1.2)
  if (head[0] !== undefined && head[0] >> 4 === 5 && head[1] === 0x2a && head[2] === 0x4d && head[3] === 0x18) return "zstd";
  return MAGIC.find(([, magic]) => magic.every((byte, i) => head[i] === byte))?.[0];
}

/** Compressed bytes taken in and bytes given out; ratio limit: a bomb of zeros has no use. */
export interface RatioLimit {
  readonly maxRatio: number;
  /** No ratio is looked at below this many bytes out. */
  readonly from: number;
}
const RATIO: RatioLimit = { maxRatio: LIMITS.maxRatio, from: RATIO_FROM };

type Chunks = AsyncIterable<Uint8Array>;

/** The plain bytes of an archive. Throws UsageError naming `archive` where it is damaged or no archive at all. */
export async function* decompress(source: Chunks, archive: string, limit: RatioLimit = RATIO): AsyncGenerator<Uint8Array> {
  const input = source[Symbol.asyncIterator]();
  try {
    const counted = { taken: 0 };
    const head = await peek(input);
    const kind = compressionOf(head);
    const rest = rejoin(head, input, counted);
    if (!kind) {
      for (const [magic, what] of Object.entries(OTHERS)) {
        if (Buffer.from(magic, "latin1").equals(head.subarray(0, magic.length))) {
          throw new UsageError(`${show(archive)}: not a tar archive (${what})`);
        }
      }
      yield* rest;
      return;
    }
    let given = 0;
    for await (const chunk of kind === "xz" || kind === "bzip2" ? program(kind, rest, archive) : builtin(kind, rest, archive)) {
      given += chunk.length;
      if (given > limit.from && given > limit.maxRatio * counted.taken) {
        throw over(`${show(archive)}: unpacks to more than ${limit.maxRatio} times its size`, "maxRatio");
      }
      yield chunk;
    }
  } finally {
    await input.return?.();
  }
}

async function peek(input: AsyncIterator<Uint8Array>): Promise<Uint8Array> {
  let head = new Uint8Array(new ArrayBuffer(0));
  while (head.length < 8) {
    const next = await input.next();
    if (next.done) break;
    head = head.length === 0 ? Uint8Array.from(next.value) : Uint8Array.from(Buffer.concat([head, next.value]));
  }
  return head;
}

async function* rejoin(head: Uint8Array, input: AsyncIterator<Uint8Array>, counted: { taken: number }): Chunks {
  counted.taken = head.length;
  if (head.length > 0) yield head;
  for (let next = await input.next(); !next.done; next = await input.next()) {
    counted.taken += next.value.length;
    yield next.value;
  }
}

/** What is decoded ahead, in another thread, while we write files. */
const STREAM = { chunkSize: 1 << 18, readableHighWaterMark: 1 << 22 };

/** Pulls the chunks through a zlib stream and checks that it used all of them. */
async function* builtin(kind: "gzip" | "zstd", chunks: Chunks, archive: string): Chunks {
  const stream = kind === "gzip" ? createGunzip(STREAM) : createZstdDecompress(STREAM);
  const frames = kind === "zstd" ? new ZstdFrames() : undefined;
  let fed = 0;
  let sourceError: unknown;
  const count = async function* (): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of chunks) {
        fed += chunk.length;
        if (frames && !frames.push(chunk)) throw new UsageError(`${show(archive)}: damaged or trailing zstd data`);
        yield chunk;
      }
    } catch (error) {
      sourceError = error;
      throw error;
    }
  };
  const readable = Readable.from(count(), { objectMode: true, highWaterMark: 1 });
  readable.once("error", (error) => stream.destroy(error));
  try {
    for await (const chunk of readable.pipe(stream)) yield chunk as Uint8Array;
  } catch (error) {
    if (sourceError !== undefined) throw sourceError;
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    if (!/^(Z_|ZSTD_|ERR_)/.test(code)) throw error;
    const truncated = code === "Z_BUF_ERROR" || /srcSize_wrong/.test(code);
    throw new UsageError(`${show(archive)}: ${truncated ? "truncated" : "damaged"} ${kind} data`, { cause: error });
  } finally {
    readable.destroy();
    stream.destroy();
  }
  if (frames && !frames.complete) throw new UsageError(`${show(archive)}: truncated zstd data`);
  if (stream.bytesWritten !== fed) throw new UsageError(`${show(archive)}: trailing data after the ${kind} data`);
}

/** `xz -dc` or `bzip2 -dc` as a child: its exit status decides, its stderr is the reason. */
async function* program(kind: "xz" | "bzip2", chunks: Chunks, archive: string): Chunks {
  const path = Bun.which(kind, { PATH: process.env.PATH ?? "" });
  if (!path) {
    throw new NsrunError(`${show(archive)}: ${kind} is needed to unpack this and is not installed`, {
      hint: `install the package ${PROGRAMS[kind]}`,
    });
  }
  const child = Bun.spawn([path, "-dc"], { stdin: "pipe", stdout: "pipe", stderr: "pipe" });
  let sourceError: unknown;
  const feed = (async () => {
    try {
      for await (const chunk of chunks) {
        child.stdin.write(chunk);
        await child.stdin.flush();
      }
    } catch (error) {
      if (child.exitCode === null && !child.killed) sourceError = error;
    } finally {
      await Promise.resolve(child.stdin.end()).catch(() => undefined); // the child may be gone: its status tells
    }
  })();
  const words = new Response(child.stderr).text();
  try {
    yield* child.stdout;
    await feed;
    if (sourceError !== undefined) throw sourceError;
    const status = await child.exited;
    // bzip2 says so and exits with 0
    if (status !== 0 || (await words).includes("trailing garbage")) {
      const reason = (await words).trim().split("\n")[0] ?? "";
      throw new UsageError(
        `${show(archive)}: damaged or truncated ${kind} data (${kind}: ${show(reason) || `status ${status}`})`,
      );
    }
  } finally {
    child.kill("SIGKILL");
    await child.exited;
    await feed;
    await words;
  }
}
