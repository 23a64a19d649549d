/**
 * What an archive is compressed with, seen by its first bytes (never by its name), and its bytes without that. gzip and
 * zstd are Bun's own; xz and bzip2 go through the programs of these names. Truncated or trailing data is an error.
 */
import { NsrunError, UsageError } from "../errors.ts";
import { LIMITS, over, RATIO_FROM } from "./limits.ts";
import { showText } from "./names.ts";

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

export type Chunks = AsyncIterable<Uint8Array>;

/**
 * The plain bytes of an archive. Throws UsageError naming `archive` where it is damaged or no archive at all. `plain` is called
 * when it is not compressed: from then on chunks are passed on one at a time, and none is looked at after the next was asked for.
 */
export async function* decompress(
  source: Chunks,
  archive: string,
  limit: RatioLimit = RATIO,
  plain?: () => void,
): AsyncGenerator<Uint8Array> {
  const input = source[Symbol.asyncIterator]();
  try {
    const counted = { taken: 0 };
    const head = await peek(input);
    const kind = compressionOf(head);
    const rest = rejoin(head, input, counted);
    if (!kind) {
      for (const [magic, what] of Object.entries(OTHERS)) {
        if (Buffer.from(magic, "latin1").equals(head.subarray(0, magic.length))) {
          throw new UsageError(`${showText(archive)}: not a tar archive (${what})`);
        }
      }
      plain?.();
      yield* rest;
      return;
    }
    let given = 0;
    for await (const chunk of await decoder(kind, rest, archive)) {
      given += chunk.length;
      if (given > limit.from && given > limit.maxRatio * counted.taken) {
        throw over(`${showText(archive)}: unpacks to more than ${limit.maxRatio} times its size`, "maxRatio");
      }
      yield chunk;
    }
  } finally {
    await input.return?.();
  }
}

async function decoder(kind: Compression, chunks: Chunks, archive: string): Promise<Chunks> {
  if (kind === "xz" || kind === "bzip2") return program(kind, chunks, archive);
  const { inflate } = await import("./inflate.ts"); // node:zlib and node:stream take 3 to 7 ms to load
  return inflate(kind, chunks, archive);
}

async function peek(input: AsyncIterator<Uint8Array>): Promise<Uint8Array> {
  let head = new Uint8Array(new ArrayBuffer(0));
  while (head.length < 8) {
    const next = await input.next();
    if (next.done) break;
    head = head.length === 0 ? new Uint8Array(next.value) : Uint8Array.from(Buffer.concat([head, next.value]));
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

/** `xz -dc` or `bzip2 -dc` as a child: its exit status decides, its stderr is the reason. */
async function* program(kind: "xz" | "bzip2", chunks: Chunks, archive: string): Chunks {
  const path = Bun.which(kind, { PATH: process.env.PATH ?? "" });
  if (!path) {
    throw new NsrunError(`${showText(archive)}: ${kind} is needed to unpack this and is not installed`, {
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
        `${showText(archive)}: damaged or truncated ${kind} data (${kind}: ${showText(reason) || `status ${status}`})`,
      );
    }
  } finally {
    child.kill("SIGKILL");
    await child.exited;
    await feed;
    await words;
  }
}
