/** Unpacked archives, kept by the hash of their content. */
import { readFile, rename, writeFile } from "node:fs/promises";
import { NsrunError, UsageError } from "../errors.ts";
import { errnoName, errnoText } from "../ffi/errno.ts";
import { AT_FDCWD } from "../ffi/flags.ts";
import { sys } from "../ffi/syscall.ts";
import type { IdMaps } from "../plan/spec.ts";
import { inTurns } from "../turn.ts";
import { atExit } from "./at-exit.ts";
import { type Built, buildOnce } from "./build-once.ts";
import { cacheDir } from "./cache-dir.ts";
import type { UnpackLimits } from "./limits.ts";
import { showText } from "./names.ts";
import { identity, type Stat, statPath } from "./stat.ts";
import type { UnpackReport } from "./unpack.ts";

export { cacheDir } from "./cache-dir.ts";

/** Raised when what unpacking makes of an archive changes. */
const FORMAT = 2;

/** The ids that a tree's owners may have, and why there is but one. */
export interface TreeIds {
  readonly maps: IdMaps;
  readonly why?: string;
}

/**
 * The unpacked root of an archive file, from the cache or unpacked into it: `CACHE/rootfs-SHA256`, read only by agreement.
 * The same content under another name is the same root; a changed file is another, and so is one with other limits: what
 * they refuse must not depend on what is in the cache. Device nodes are never made: a container has a /dev of its own, and
 * its root is nodev. Throws UsageError, SyscallError, the reason of a signal that fires meanwhile.
 */
export async function cachedTar(
  path: string,
  ids?: TreeIds,
  say: (text: string) => void = () => {},
  limits: Partial<UnpackLimits> = {},
  signal?: AbortSignal,
): Promise<Built> {
  const cache = cacheDir();
  const range = ids?.maps.writers ? ids.maps : undefined;
  const nested = ids && sys("geteuid") === 0 ? ids.maps : undefined; // root of a user namespace
  const known = range ?? nested;
  const stat = regularFile(path);
  const sha = (await remembered(cache, stat)) ?? (await hashed(cache, path, stat, signal));
  const asked = Object.keys(limits).length > 0 ? JSON.stringify(limits) : "";
  const key = digest(
    `nsrun ${FORMAT} ${sys("geteuid")} ${sha}${known ? ` ${JSON.stringify([known.uid, known.gid])}` : ""}${asked}`,
  );
  const { contains } = nested ? await import("../ids/map.ts") : {};
  const { Owners, removeOwned } = range ? await import("./owners.ts") : {};
  const remove = range && removeOwned ? (name: string) => removeOwned(range, `${cache}/${name}`) : undefined;
  const build = async (dirFd: number) => {
    const { openArchive, unpackInto } = await import("./archive.ts");
    const hash = new Bun.CryptoHasher("sha256");
    await using file = await openArchive(path);
    // set-id bits are kept: behind the cache's 0700 only the container sees them. Of an owner that is not mapped they go, or they
    // would be root's inside; with one id there is nobody else
    const owners = range && Owners ? new Owners(range) : undefined;
    const report = await unpackInto(file, path, dirFd, {
      ...limits,
      signal,
      setid: known ? "owned" : true,
      ...(nested && contains ? { mapped: (uid, gid) => contains(nested.uid, uid) && contains(nested.gid, gid) } : {}),
      onRead: (chunk) => void hash.update(chunk),
      // an ordinary user's own id is root inside, whatever its number
      later: (path, owner) => owners?.record(path, owner) ?? (owner?.uid === 0 && owner.gid === 0),
    });
    if (hash.digest("hex") !== sha) throw new NsrunError(`${showText(path)}: changed while it was read`);
    if (owners) await inTurns(owners.apply(dirFd), signal);
    tellSkipped(path, report, ids, say);
  };
  return await buildOnce(cache, `rootfs-${key}`, build, { remove, signal });
}

/** What the tree lacks, once, when it is unpacked. */
function tellSkipped(path: string, { skipped }: UnpackReport, ids: TreeIds | undefined, say: (text: string) => void): void {
  const lacks = [
    ...(skipped.owners > 0 ? [`${skipped.owners} owners not kept (${ids?.why ?? "their ids are not mapped"})`] : []),
    ...(skipped.devices > 0 ? [`${skipped.devices} device nodes left out (the container has its own /dev)`] : []),
  ];
  if (lacks.length > 0) say(`${showText(path)}: ${lacks.join(", ")}`);
}

const digest = (text: string): string => new Bun.CryptoHasher("sha256").update(text).digest("hex");

function regularFile(path: string): Stat {
  const stat = statPath(AT_FDCWD, path);
  if (typeof stat === "number") throw new UsageError(`${showText(path)}: ${errnoName(-stat)} (${errnoText(-stat)})`);
  if ((stat.mode & 0o170000) !== 0o100000) throw new UsageError(`${showText(path)}: not a regular file`);
  return stat;
}

const memoPath = (cache: string, stat: Stat): string => `${cache}/memo-${stat.dev.replace(":", "-")}-${stat.ino}`;

/** The hash that was noted for this very file, unchanged since. */
async function remembered(cache: string, stat: Stat): Promise<string | undefined> {
  const text = await readFile(memoPath(cache, stat), "utf8").catch(() => "");
  const [noted, sha] = text.split("\n");
  return noted === identity(stat) && sha !== undefined && /^[0-9a-f]{64}$/.test(sha) ? sha : undefined;
}

async function hashed(cache: string, path: string, stat: Stat, signal: AbortSignal | undefined): Promise<string> {
  const { chunksOf, openArchive } = await import("./archive.ts");
  const hash = new Bun.CryptoHasher("sha256");
  const started = BigInt(Date.now()) * 1000000n;
  await using file = await openArchive(path);
  for await (const chunk of chunksOf(file, `read ${showText(path)}`, undefined, undefined, signal)) hash.update(chunk);
  const sha = hash.digest("hex");
  const after = regularFile(path);
  if (identity(after) !== identity(stat)) throw new NsrunError(`${showText(path)}: changed while it was read`);
  // a file changed within the clock's last tick could change again under the same time: not noted (git's "racy" rule)
  if (started - stat.ctime > 1000000000n) await note(cache, stat, sha);
  return sha;
}

async function note(cache: string, stat: Stat, sha: string): Promise<void> {
  const path = memoPath(cache, stat);
  const temporary = `${path}.${process.pid}`;
  using _temporary = atExit(() => sys("unlinkat", AT_FDCWD, temporary, 0));
  try {
    await writeFile(temporary, `${identity(stat)}\n${sha}\n`, { mode: 0o600 });
    await rename(temporary, path);
  } catch {
    // only a shortcut: without it the file is hashed again
    sys("unlinkat", AT_FDCWD, temporary, 0);
  }
}
