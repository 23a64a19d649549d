/**
 * The default root: a busybox, from wherever one can be had, in a tree that is built once. On the start path of every
 * `nsrun`: a few system calls when all is there; everything else is imported when it is needed.
 */
import { NsrunError, UsageError } from "../errors.ts";
import { ARCH } from "../ffi/abi.ts";
import { errno, errnoName, errnoText } from "../ffi/errno.ts";
import { AT_FDCWD } from "../ffi/flags.ts";
import { sys } from "../ffi/syscall.ts";
import { cacheDir, cachePath } from "./cache-dir.ts";
import { hold } from "./cache-use.ts";
import { elfKindOf } from "./elf.ts";
import { embeddedApplets, embeddedBusybox } from "./embedded.ts";
import { type Stat, statPath } from "./stat.ts";

export interface BusyboxOptions {
  /** A busybox of the caller's choice; else $NSRUN_BUSYBOX. */
  readonly busybox?: string | undefined;
  /** Is told, in one line, about what takes long. */
  readonly say?: (text: string) => void;
  /** Let the package manager fetch one when there is none; default true. */
  readonly fetch?: boolean;
  /** Ends it when it fires, with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

export interface Busybox {
  /** For `Bun.file`; an embedded one has no path on the disk. */
  readonly file: string;
  readonly origin: "given" | "embedded" | "path" | "cache" | "fetched";
  /** Two files of the same key are the same. */
  readonly key: string;
}

export const HINT = "install the package busybox-static, or give --busybox FILE";
const NAMES = ["busybox", "busybox-static", "busybox.static"] as const;
const X_OK = 1;
const NOT_A_FILE = -errno("EISDIR");
/** Raised when the tree that is built from a busybox changes. */
const FORMAT = 1;
/** Trees of other busyboxes that nobody used for so long go when a new one is made. Milliseconds: a week. */
const STALE = 7 * 86_400_000;

const keyOf = (stat: Stat): string => `${FORMAT}-${stat.dev.replace(":", "-")}-${stat.ino}-${stat.size}-${stat.mtime}`;

/** A regular file that we may execute, else -errno. */
function executable(path: string): Stat | number {
  const stat = statPath(AT_FDCWD, path);
  if (typeof stat === "number") return stat;
  if ((stat.mode & 0o170000) !== 0o100000) return NOT_A_FILE;
  const access = sys("faccessat2", AT_FDCWD, path, X_OK, 0);
  return access < 0 ? access : stat;
}

function given(path: string, from: string): Busybox {
  const stat = executable(path);
  if (typeof stat === "number") {
    const why = stat === NOT_A_FILE ? "not a regular file" : `${errnoName(-stat)} (${errnoText(-stat)})`;
    throw new UsageError(`${from} ${path}: ${why}`);
  }
  const kind = elfKindOf(path);
  const problems: Record<string, string> = {
    none: "not a program (ELF)",
    foreign: `a program for another machine (this is ${ARCH})`,
    dynamic: "dynamically linked: its libraries would be missing inside (Debian's package is busybox-static)",
  };
  if (typeof kind === "number") throw new UsageError(`${from} ${path}: ${errnoName(-kind)} (${errnoText(-kind)})`);
  const problem = problems[kind];
  if (problem) throw new UsageError(`${from} ${path}: ${problem}`);
  return { file: path, origin: "given", key: keyOf(stat) };
}

/** Whether a tree made of it is there: then it needs no second look. */
const known = (key: string): boolean => typeof statPath(AT_FDCWD, `${cachePath()}/busybox-root-${key}`) !== "number";

/** By name first: the usual name is found with the fewest questions. Never a program from the current directory. */
function onPath(): Busybox | undefined {
  const dirs = (process.env.PATH ?? "").split(":").filter((dir) => dir.startsWith("/"));
  for (const name of NAMES) {
    for (const dir of dirs) {
      const file = `${dir}/${name}`;
      const stat = statPath(AT_FDCWD, file);
      if (typeof stat === "number") continue;
      const key = keyOf(stat);
      if (known(key) || (typeof executable(file) !== "number" && elfKindOf(file) === "static"))
        return { file, origin: "path", key };
    }
  }
  return undefined;
}

/** Where {@link findBusybox} keeps what it fetched. */
export const cachedBusybox = (cache: string): string => `${cache}/busybox-${ARCH}`;

function inCache(): Busybox | undefined {
  const file = cachedBusybox(cachePath());
  const stat = executable(file);
  if (typeof stat === "number") return undefined;
  cacheDir(); // ours alone, or an error
  return { file, origin: "cache", key: keyOf(stat) };
}

/**
 * A static busybox: the option or $NSRUN_BUSYBOX; the compiled file's own; one on PATH; one fetched before; one fetched now
 * by the distribution's package manager, without installing it. Throws UsageError for a wrong one given, NsrunError for none.
 */
export async function findBusybox(options: BusyboxOptions = {}): Promise<Busybox> {
  if (options.busybox !== undefined) return given(options.busybox, "--busybox");
  if (process.env.NSRUN_BUSYBOX) return given(process.env.NSRUN_BUSYBOX, "NSRUN_BUSYBOX");
  if (embeddedBusybox !== undefined) {
    const self = statPath(AT_FDCWD, process.execPath);
    const key = typeof self === "number" ? `${FORMAT}-embedded` : keyOf(self);
    return { file: embeddedBusybox, origin: "embedded", key };
  }
  const found = onPath() ?? inCache();
  if (found) return found;
  if (options.fetch === false) throw new NsrunError("no static busybox found", { hint: HINT });
  const { fetchBusybox } = await import("./fetch.ts");
  const file = await fetchBusybox(cacheDir(), options.say ?? (() => undefined), options.signal);
  const stat = executable(file);
  if (typeof stat === "number") throw new NsrunError(`the fetched busybox cannot be used: ${errnoName(-stat)}`, { hint: HINT });
  return { file, origin: "fetched", key: keyOf(stat) };
}

/** Trees of executables that were replaced since. That they cannot be removed is no reason not to start. */
async function pruneStale(cache: string): Promise<void> {
  const { prune } = await import("./prune.ts");
  try {
    prune(cache, { kind: "busybox", olderThan: STALE });
  } catch (error) {
    if (!(error instanceof NsrunError)) throw error;
  }
}

/** A complete pristine root of that busybox in the cache: mount something over it, never write into it. */
export async function busyboxRoot(options: BusyboxOptions = {}): Promise<{ dir: string }> {
  const busybox = await findBusybox(options);
  const name = `busybox-root-${busybox.key}`;
  const cache = cacheDir();
  const dir = `${cache}/${name}`;
  const waiting = hold(cache, name);
  if (waiting) await waiting;
  if (typeof statPath(AT_FDCWD, dir) !== "number") return { dir };
  const { buildOnce } = await import("./build-once.ts");
  const { appletsOf, populateBusyboxRoot } = await import("./skeleton.ts");
  const build = async (dirFd: number) => {
    const image = await Bun.file(busybox.file).bytes();
    const applets = (busybox.origin === "embedded" ? embeddedApplets : undefined) ?? appletsOf(image);
    await populateBusyboxRoot(dirFd, image, applets);
  };
  const built = await buildOnce(cache, name, build, { signal: options.signal });
  await pruneStale(cache);
  return built;
}
