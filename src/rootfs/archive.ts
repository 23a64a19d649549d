/** `nsrun unpack TAR DIR`: an archive file into a directory. */
import { mkdirSync, readSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { NsrunError, UsageError } from "../errors.ts";
import { errno, errnoText } from "../ffi/errno.ts";
import { Fd } from "../ffi/fd.ts";
import { AT_FDCWD, O } from "../ffi/flags.ts";
import { bytes } from "../ffi/syscall.ts";
import { isDue, turn } from "../turn.ts";
import { compileForUnpacking } from "./compiler.ts";
import { decompress } from "./decompress.ts";
import { LIMITS, RATIO_FROM } from "./limits.ts";
import { showText } from "./names.ts";
import { type UnpackOptions, type UnpackReport, unpackTar } from "./unpack.ts";

export interface UnpackFileOptions extends UnpackOptions {
  /** Is shown every chunk of the archive file as it is read. */
  readonly onRead?: (chunk: Uint8Array) => void;
}

/** The error of node:fs as one of ours: `open x.tar: ENOENT (…)`. */
export function fileError(error: unknown, doing: string): NsrunError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (!/^E[A-Z0-9]+$/.test(code)) return new NsrunError(`${doing}: ${error}`, { cause: error });
  let text = "unknown error";
  try {
    text = errnoText(errno(code));
  } catch {
    // a code of Bun's own
  }
  return new (code === "ENOENT" || code === "EISDIR" ? UsageError : NsrunError)(`${doing}: ${code} (${text})`, { cause: error });
}

const CHUNK = 1 << 19;

/**
 * The bytes of a file from its start, each chunk in memory of its own until `reuse` says that the last one is not needed any more.
 * What is no pipe is read without waiting for a thread: that takes half as long, and no longer than the writing that follows.
 */
export async function* chunksOf(
  file: FileHandle,
  doing: string,
  onRead?: (chunk: Uint8Array) => void,
  reuse = () => false,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const regular = (await file.stat()).isFile();
  let buffer = bytes(CHUNK);
  for (; ; buffer = reuse() ? buffer : bytes(CHUNK)) {
    if (isDue()) await turn(signal);
    let length: number;
    try {
      length = regular ? readSync(file.fd, buffer, 0, CHUNK, null) : (await file.read(buffer, 0, CHUNK)).bytesRead;
    } catch (error) {
      throw fileError(error, doing);
    }
    if (length === 0) return;
    const chunk = buffer.subarray(0, length);
    onRead?.(chunk);
    yield chunk;
  }
}

/** Opens an archive; `-` is standard input. */
export async function openArchive(path: string): Promise<FileHandle> {
  const name = path === "-" ? "/dev/stdin" : path;
  try {
    return await open(name, "r");
  } catch (error) {
    throw fileError(error, `open ${showText(path)}`);
  }
}

/** Unpacks an open archive, called `path` in messages, below a directory descriptor. */
export function unpackInto(file: FileHandle, path: string, rootFd: number, options: UnpackFileOptions): Promise<UnpackReport> {
  compileForUnpacking();
  const archive = options.archive ?? path;
  let plain = false; // what reads a tar has done with a chunk before it asks for the next; new memory for each takes as long as reading
  const source = chunksOf(file, `read ${showText(archive)}`, options.onRead, () => plain, options.signal);
  const ratio = { maxRatio: options.maxRatio ?? LIMITS.maxRatio, from: RATIO_FROM };
  const tar = decompress(source, archive, ratio, () => {
    plain = true;
  });
  return unpackTar(tar, rootFd, { ...options, archive });
}

/**
 * As `tar -C DIR -xpf TAR`: DIR is made (0755) when missing and may hold files already; what has the name of a member is
 * replaced, the rest stays. `-` is standard input. A damaged archive leaves what came before the damage, as tar does.
 */
export async function unpackFile(path: string, dir: string, options: UnpackFileOptions = {}): Promise<UnpackReport> {
  await using file = await openArchive(path); // before DIR is made: a wrong name must leave nothing
  try {
    mkdirSync(dir, { recursive: true, mode: 0o755 });
  } catch (error) {
    throw fileError(error, `make ${showText(dir)}`);
  }
  using root = Fd.from(`open ${showText(dir)}`, "openat", AT_FDCWD, dir, O.O_PATH | O.O_DIRECTORY | O.O_CLOEXEC, 0);
  return await unpackInto(file, path, root.number, options);
}
