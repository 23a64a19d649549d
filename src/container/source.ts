/** Where the root comes from: a directory, an archive, the host, or busybox. */
import { UsageError } from "../errors.ts";
import { errnoName } from "../ffi/errno.ts";
import { absolute, readLink, readText } from "../ffi/file.ts";
import { AT_FDCWD, O, S } from "../ffi/flags.ts";
import { sys } from "../ffi/syscall.ts";
import type { RootSpec } from "../plan/spec.ts";
import type { TreeIds } from "../rootfs/cache.ts";
import { busyboxLower } from "../rootfs/default.ts";
import { statPath } from "../rootfs/stat.ts";
import type { ContainerOptions } from "./options.ts";
import { chosenRecipe } from "./recipe.ts";

/** Directories that may be mounted over, in the container's own mount namespace, while a root is built by paths. */
// the last ones are for bare roots: the container's programs are static until its own root is there
const ANCHORS = ["/mnt", "/srv", "/media", "/opt", "/var/tmp", "/home", "/run", "/tmp", "/var", "/lib64", "/lib", "/usr"];

function anchor(avoid: readonly string[]): string {
  const hidden = (place: string) => avoid.some((path) => path === place || path.startsWith(`${place}/`));
  for (const place of ANCHORS) if (!hidden(place) && sys("faccessat2", -100, place, 0, 0) === 0) return place;
  return "/mnt";
}

/** The file type bits of what the user named. */
function rootfsType(path: string, given: string): number {
  const stat = statPath(AT_FDCWD, path);
  if (typeof stat !== "number") return stat.mode & S.S_IFMT;
  const code = errnoName(-stat);
  const why = code === "ENOENT" || code === "ENOTDIR" ? "no such file or directory" : `cannot be read (${code})`;
  throw new UsageError(`--rootfs ${given}: ${why}`);
}

/** The ids that an archive's owners may have, for all but the initial user namespace's root. */
type FindIds = () => TreeIds | undefined | Promise<TreeIds>;

/** Options that mean something for an archive only. */
const ARCHIVE = ["maxSize", "maxEntries", "maxDepth", "maxPath", "maxRatio"] as const;

const dashed = (field: string): string => field.replace(/[A-Z]/, (c) => `-${c.toLowerCase()}`);

function refuseArchiveOptions(options: ContainerOptions): void {
  for (const field of ARCHIVE)
    if (options[field] !== undefined) throw new UsageError(`--${dashed(field)} needs --rootfs with an archive`);
}

/** The directory (or unattached mount) below the root. Slow only when something has to be unpacked. */
async function lower(options: ContainerOptions, ids: FindIds, mapped: boolean): Promise<RootSpec["lower"]> {
  const { rootfs } = options;
  const say = options.say ?? (() => {});
  if (rootfs === undefined || rootfs === "host") refuseArchiveOptions(options);
  if (rootfs === undefined) {
    return busyboxLower(options.busybox, chosenRecipe() === "detached" && !mapped, say, options.signal);
  }
  if (rootfs === "host") return "/";
  if (rootfs === "") throw new UsageError("--rootfs: empty path");
  const path = absolute(rootfs);
  const type = rootfsType(path, rootfs);
  if (type === S.S_IFDIR) {
    refuseArchiveOptions(options);
    return path;
  }
  if (options.rw) throw new UsageError(`--rw needs a directory, and ${rootfs} is none`);
  if (type !== S.S_IFREG) throw new UsageError(`--rootfs ${rootfs}: neither a directory nor an archive`);
  const { cachedTar } = await import("../rootfs/cache.ts");
  const { askedLimits } = await import("../rootfs/limits.ts");
  return (await cachedTar(path, await ids(), say, askedLimits(options), options.signal)).dir;
}

/** Where something is mounted below `directory`, as paths from there. */
async function mountsBelow(directory: string): Promise<string[]> {
  const { mountPoints } = await import("./refusals.ts");
  const fd = sys("openat", AT_FDCWD, directory, O.O_PATH | O.O_CLOEXEC, 0);
  const path = readLink(`/proc/self/fd/${fd}`);
  if (fd >= 0) sys("close", fd);
  const info = readText("/proc/self/mountinfo");
  if (typeof path === "number" || typeof info === "number") return [];
  const above = path === "/" ? "" : path;
  return mountPoints(info)
    .filter((place) => place.startsWith(`${above}/`))
    .map((place) => place.slice(above.length));
}

/**
 * The root as asked for. `avoid`: host paths that the container must still find while it builds. `ids`: an archive's owners.
 * `mapped`: the owners of its layers will be, which is done to a mount once, so it shares none with others.
 */
export async function rootSource(
  options: ContainerOptions,
  avoid: readonly string[],
  ids: FindIds,
  mapped: boolean,
): Promise<RootSpec> {
  if (options.rw && options.rootfs === undefined) throw new UsageError("--rw needs --rootfs DIR");
  if (options.rw && options.rootfs === "host")
    throw new UsageError("--rw would write into the host's own root: name a directory");
  const from = await lower(options, ids, mapped);
  return {
    lower: from,
    layer: options.rw ? "bind" : "overlay",
    readOnly: options.readOnly ?? false,
    chroot: options.chroot ?? false,
    ...(options.rw && typeof from === "string" && (avoid.length > 0 || options.net === "pasta")
      ? { below: await mountsBelow(from) }
      : {}),
    anchor: anchor(typeof from === "string" ? [from, ...avoid] : avoid),
  };
}

const DIRECTORY = O.O_PATH | O.O_DIRECTORY | O.O_CLOEXEC;

/** A descriptor of the root's lowest layer, for looking things up in it. -1 when it cannot be opened. */
export function openLower(from: RootSpec["lower"]): number {
  return typeof from === "string" ? sys("openat", -100, from, DIRECTORY, 0) : sys("openat", from.fd, ".", DIRECTORY, 0);
}
