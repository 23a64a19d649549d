/** The default root as a lower layer: the cached tree, or, where nothing can be cached, one in memory. */
import { NsrunError, UsageError } from "../errors.ts";
import { AT_FDCWD } from "../ffi/flags.ts";
import { failed, must, sys } from "../ffi/syscall.ts";
import { busyboxRoot, findBusybox } from "./busybox.ts";
import { embeddedApplets } from "./embedded.ts";

/** An unattached mount. A shared one is the process's own and stays; another is the container's, to close after it. */
export interface Unattached {
  readonly fd: number;
  readonly shared: boolean;
}

let inMemory: Unattached | undefined;

/** A pristine tmpfs with the tree, mounted nowhere. */
async function memoryRoot(busybox: string | undefined, shared: boolean, say: (text: string) => void): Promise<Unattached> {
  const { appletsOf, populateBusyboxRoot } = await import("./skeleton.ts");
  const found = await findBusybox({ busybox, say, fetch: false });
  const fs = must("open a tmpfs for the root", "fsopen", "tmpfs", 1);
  try {
    must("set the tmpfs's mode", "fsconfig", fs, 1, "mode", "0755", 0);
    must("create the tmpfs", "fsconfig", fs, 6, null, null, 0);
    const fd = sys("fsmount", fs, 1, 0);
    if (fd < 0) throw failed(fd, "mount the tmpfs, attached nowhere");
    const image = await Bun.file(found.file).bytes();
    await populateBusyboxRoot(fd, image, (found.origin === "embedded" ? embeddedApplets : undefined) ?? appletsOf(image));
    return { fd, shared };
  } finally {
    sys("close", fs);
  }
}

/** What the last search looked at, and what it found: the next container of this process need not look again. */
let last: { readonly searched: string; readonly dir: string } | undefined;

/**
 * A directory, or an unattached mount: with `shared` one for all containers of the process (which needs Linux 6.15: before,
 * an unattached mount can be attached once, and not be a layer). Throws NsrunError.
 */
export async function busyboxLower(
  busybox: string | undefined,
  shared: boolean,
  say: (text: string) => void,
  signal?: AbortSignal,
): Promise<string | Unattached> {
  const { NSRUN_BUSYBOX, NSRUN_CACHE, PATH } = process.env;
  const searched = [busybox, NSRUN_BUSYBOX, NSRUN_CACHE, PATH].join("\0");
  if (last?.searched === searched && sys("faccessat2", AT_FDCWD, last.dir, 0, 0) === 0) return last.dir;
  try {
    const { dir } = await busyboxRoot({ busybox, say, signal });
    last = { searched, dir };
    return dir;
  } catch (error) {
    signal?.throwIfAborted();
    // a cache that cannot be written (read-only, full, not ours) is no reason to fail while memory will do
    if (!(error instanceof NsrunError) || error instanceof UsageError || sys("geteuid") !== 0) throw error;
    const make = () =>
      memoryRoot(busybox, shared, say).catch(() => {
        throw error;
      });
    if (!shared) return make();
    inMemory ??= await make();
    return inMemory;
  }
}
