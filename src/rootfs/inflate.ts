/** gzip and zstd by node:zlib, apart because loading it takes longer than unpacking a small archive that needs neither. */
import { Readable } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { UsageError } from "../errors.ts";
import type { Chunks } from "./decompress.ts";
import { showText } from "./names.ts";
import { ZstdFrames } from "./zstd-frames.ts";

/** What is decoded ahead, in another thread, while we write files. */
const STREAM = { chunkSize: 1 << 20, readableHighWaterMark: 1 << 22 };

/** Pulls the chunks through a zlib stream and checks that it used all of them. */
export async function* inflate(kind: "gzip" | "zstd", chunks: Chunks, archive: string): Chunks {
  const stream = kind === "gzip" ? createGunzip(STREAM) : createZstdDecompress(STREAM);
  const frames = kind === "zstd" ? new ZstdFrames() : undefined;
  let fed = 0;
  let sourceError: unknown;
  const count = async function* (): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of chunks) {
        fed += chunk.length;
        if (frames && !frames.push(chunk)) throw new UsageError(`${showText(archive)}: damaged or trailing zstd data`);
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
    throw new UsageError(`${showText(archive)}: ${truncated ? "truncated" : "damaged"} ${kind} data`, { cause: error });
  } finally {
    readable.destroy();
    stream.destroy();
  }
  if (frames && !frames.complete) throw new UsageError(`${showText(archive)}: truncated zstd data`);
  if (stream.bytesWritten !== fed) throw new UsageError(`${showText(archive)}: trailing data after the ${kind} data`);
}
