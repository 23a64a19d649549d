/** `nsrun cache list`, `nsrun cache prune`. */
import { findCaller, idMaps } from "../container/caller.ts";
import { UsageError } from "../errors.ts";
import { AT_FDCWD } from "../ffi/flags.ts";
import { cacheDir, cachePath } from "../rootfs/cache-dir.ts";
import type { CacheEntry } from "../rootfs/prune.ts";
import { statPath } from "../rootfs/stat.ts";
import type { Steps } from "../turn.ts";
import { print, warn } from "./print.ts";

const DAY = 86_400_000;

/** The cache, if there is one: looking makes none. */
function existing(): string | undefined {
  return typeof statPath(AT_FDCWD, cachePath()) === "number" ? undefined : cacheDir();
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** 1536 → "1.5 KiB". */
export function humanSize(bytes: number | undefined): string {
  if (bytes === undefined) return "?";
  const unit = Math.min(bytes < 1 ? 0 : Math.floor(Math.log2(bytes) / 10), UNITS.length - 1);
  return `${unit === 0 ? bytes : (bytes / 1024 ** unit).toFixed(1)} ${UNITS[unit]}`;
}

interface Shown extends CacheEntry {
  readonly path: string;
  readonly bytes: number | undefined;
}

async function sized(cache: string, entries: readonly CacheEntry[]): Promise<Shown[]> {
  const { diskUsage } = await import("../rootfs/usage.ts");
  return entries.map((entry) => ({ ...entry, path: `${cache}/${entry.name}`, bytes: diskUsage(`${cache}/${entry.name}`) }));
}

async function show(entries: readonly Shown[], json: boolean | undefined): Promise<void> {
  if (json) {
    const list = entries.map(({ used, ...entry }) => ({
      ...entry,
      bytes: entry.bytes ?? null,
      used: new Date(used).toISOString(),
    }));
    await print(`${JSON.stringify(list, null, 2)}\n`);
    return;
  }
  const lines = entries.map(({ name, bytes, used, inUse }) => {
    const when = new Date(used).toISOString().slice(0, 16).replace("T", " ");
    return `${name}  ${humanSize(bytes).padStart(10)}  ${when}${inUse ? "  in use" : ""}\n`;
  });
  await print(lines.join(""));
}

/** `nsrun cache list [--json]` */
export async function cacheList(_: readonly string[], { json }: { json?: boolean }): Promise<number> {
  const { cacheEntries } = await import("../rootfs/prune.ts");
  const cache = existing();
  await show(cache === undefined ? [] : await sized(cache, cacheEntries(cache)), json);
  return 0;
}

function days(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,5}$/.test(text)) throw new UsageError(`--older-than ${text}: expected a number of days`);
  return Number(text) * DAY;
}

/** How files of granted ids are removed: only in a user namespace where they are ours. */
async function remover(): Promise<((path: string) => Steps) | undefined> {
  if (process.geteuid?.() === 0) return undefined;
  const { maps } = await idMaps(findCaller(), {});
  if (!maps.writers) return undefined;
  const { removeOwned } = await import("../rootfs/owners.ts");
  return (path) => removeOwned(maps, path);
}

interface PruneOptions {
  readonly olderThan?: string;
  readonly json?: boolean;
}

/** `nsrun cache prune [--older-than DAYS] [--json]` */
export async function cachePrune(_: readonly string[], { olderThan, json }: PruneOptions): Promise<number> {
  const { cacheEntries, prune } = await import("../rootfs/prune.ts");
  const age = days(olderThan);
  const cache = existing();
  const before = cache === undefined ? [] : await sized(cache, cacheEntries(cache));
  const names =
    cache === undefined
      ? []
      : prune(cache, { ...(age === undefined ? {} : { olderThan: age }), remove: await remover() }).map(({ name }) => name);
  const removed = before.filter(({ name }) => names.includes(name));
  await show(removed, json);
  const bytes = removed.reduce((sum, entry) => sum + (entry.bytes ?? 0), 0);
  const used = before.filter(({ inUse }) => inUse).length;
  const kept = used > 0 ? `; ${used} in use` : "";
  await warn([`nsrun: ${removed.length} removed, ${humanSize(bytes)}${kept}`]);
  return 0;
}
