/** Where nsrun keeps what it can make again. */
import { NsrunError } from "../errors.ts";
import { errno, errnoName, errnoText } from "../ffi/errno.ts";
import { absolute } from "../ffi/file.ts";
import { AT_FDCWD } from "../ffi/flags.ts";
import { sys } from "../ffi/syscall.ts";
import { statPath } from "./stat.ts";

const HINT = "set NSRUN_CACHE to a directory of your own";

const SYSTEM = "/var/cache";
export const SYSTEM_CACHE = `${SYSTEM}/nsrun`;

/** Root in a user namespace is somebody else outside: /var/cache is not his (it shows the overflow uid). */
function systemCache(): boolean {
  if (sys("geteuid") !== 0) return false;
  const stat = statPath(AT_FDCWD, SYSTEM);
  return typeof stat === "number" || stat.uid === 0;
}

/** The cache directory's path: $NSRUN_CACHE; root: /var/cache/nsrun; $XDG_CACHE_HOME/nsrun; ~/.cache/nsrun. */
export function cachePath(env: Record<string, string | undefined> = process.env): string {
  if (env.NSRUN_CACHE) return absolute(env.NSRUN_CACHE);
  if (systemCache()) return SYSTEM_CACHE;
  // the XDG base directory specification: a relative path is invalid and ignored
  if (env.XDG_CACHE_HOME?.startsWith("/")) return `${env.XDG_CACHE_HOME}/nsrun`;
  return `${env.HOME || process.getBuiltinModule("node:os").homedir()}/.cache/nsrun`;
}

/**
 * The cache directory, made (0700) when missing. It must be ours and writable by nobody else: roots are started from what
 * is in it. Two system calls when it is there. Throws NsrunError.
 */
export const cacheDir = (env: Record<string, string | undefined> = process.env): string => ownDirectory(cachePath(env));

/** The same for the directory at `path`. */
export function ownDirectory(path: string): string {
  let stat = statPath(AT_FDCWD, path);
  if (stat === -errno("ENOENT")) {
    try {
      process.getBuiltinModule("node:fs").mkdirSync(path, { recursive: true, mode: 0o700 });
    } catch (error) {
      const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
      throw new NsrunError(`cannot make the cache directory ${path}: ${code}`, { hint: HINT, cause: error });
    }
    stat = statPath(AT_FDCWD, path);
  }
  if (typeof stat === "number") {
    throw new NsrunError(`cache directory ${path}: ${errnoName(-stat)} (${errnoText(-stat)})`, { hint: HINT });
  }
  const wrong = cacheProblem(stat);
  if (wrong) throw new NsrunError(`cache directory ${path} ${wrong}`, { hint: HINT });
  return path;
}

function cacheProblem(stat: { mode: number; uid: number }): string | undefined {
  if ((stat.mode & 0o170000) !== 0o040000) return "is not a directory";
  if (stat.uid !== sys("geteuid")) return `belongs to uid ${stat.uid}, not to us`;
  if (stat.mode & 0o022) return `can be written by others (mode ${(stat.mode & 0o7777).toString(8)})`;
  return undefined;
}
