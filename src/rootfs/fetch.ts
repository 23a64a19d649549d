/**
 * A static busybox from the distribution, by its own package manager (which checks the signatures), without installing
 * anything: the package is fetched into a temporary directory of the cache and one file is taken out of it.
 */
import { readdirSync } from "node:fs";
import { chmod, copyFile, rename } from "node:fs/promises";
import { NsrunError } from "../errors.ts";
import { Fd } from "../ffi/fd.ts";
import { AT_FDCWD, O } from "../ffi/flags.ts";
import { inTurns } from "../turn.ts";
import { unpackFile } from "./archive.ts";
import { atExit } from "./at-exit.ts";
import { cachedBusybox, HINT } from "./busybox.ts";
import { elfKindOf } from "./elf.ts";
import { runProgram } from "./fetch-program.ts";
import { makeTemporary, sweeping } from "./temporary.ts";
import { removeTree } from "./tree.ts";

interface Manager {
  /** Programs that must be there; the first one names the manager. */
  readonly needs: readonly string[];
  readonly package: string;
  /** Fetches the package into the current directory. */
  readonly fetch: (dir: string) => readonly string[];
  /** The end of the fetched file's name. */
  readonly suffix: string;
  /** Makes a tar archive that `unpackFile` reads; the last word is where its output goes when it writes to stdout. */
  readonly toTar?: (file: string) => readonly string[];
  readonly tarSuffix?: string;
  /** Where the refusal is often about something simple. */
  readonly hint?: string;
}

const MANAGERS: readonly Manager[] = [
  {
    needs: ["apt-get", "dpkg-deb"],
    package: "busybox-static",
    fetch: () => ["apt-get", "-q", "download", "busybox-static"],
    suffix: ".deb",
    toTar: (file) => ["dpkg-deb", "--fsys-tarfile", file],
    hint: "apt may have no package lists yet: apt-get update",
  },
  {
    needs: ["apk"],
    package: "busybox-static",
    fetch: (dir) => ["apk", "fetch", "--output", dir, "busybox-static"],
    suffix: ".apk",
  },
  {
    needs: ["dnf", "rpm2archive"],
    package: "busybox",
    fetch: (dir) => ["dnf", "download", "--destdir", dir, "busybox"],
    suffix: ".rpm",
    toTar: (file) => ["rpm2archive", file],
    tarSuffix: ".tgz",
  },
  {
    needs: ["pacman"],
    package: "busybox",
    fetch: (dir) => ["pacman", "-Sw", "--noconfirm", "--noprogressbar", "--cachedir", dir, "busybox"],
    suffix: ".pkg.tar.zst",
  },
];
const PLACES = ["bin/busybox", "usr/bin/busybox", "bin/busybox.static", "sbin/busybox", "usr/sbin/busybox"];

type Say = (text: string) => void;

/**
 * Fetches, checks and keeps it as `CACHE/busybox-ARCH`; the path. `say` is told what the manager says on the way. Throws one
 * NsrunError that names what to install, or the reason of a signal that fires meanwhile.
 */
export async function fetchBusybox(cache: string, say: Say, signal?: AbortSignal): Promise<string> {
  const manager = MANAGERS.find(({ needs }) => needs.every((program) => Bun.which(program, { PATH: process.env.PATH ?? "" })));
  if (!manager) throw new NsrunError("no static busybox found, and no package manager to fetch one with", { hint: HINT });
  say(`fetching ${manager.package} with ${manager.needs[0]} (once; nothing is installed)`);
  using at = Fd.from(`open ${cache}`, "openat", AT_FDCWD, cache, O.O_RDONLY | O.O_DIRECTORY | O.O_CLOEXEC, 0);
  await inTurns(sweeping(at.number), signal);
  const work = makeTemporary(at.number);
  using _work = atExit(() => removeTree(at.number, work.name));
  const dir = `${cache}/${work.name}`;
  try {
    const file = await programOf(manager, dir, say, signal);
    const target = cachedBusybox(cache);
    const temporary = `${dir}/busybox`;
    await copyFile(file, temporary);
    await chmod(temporary, 0o755);
    await rename(temporary, target);
    return target;
  } catch (error) {
    signal?.throwIfAborted();
    const why = error instanceof Error ? error.message : String(error);
    throw new NsrunError(`no static busybox found, and fetching ${manager.package} failed: ${why}`, {
      hint: manager.hint ? `${HINT}; ${manager.hint}` : HINT,
      cause: error,
    });
  } finally {
    removeTree(at.number, work.name);
    work.fd.close();
  }
}

/** The path of the busybox inside the unpacked package. */
async function programOf(manager: Manager, dir: string, say: Say, signal: AbortSignal | undefined): Promise<string> {
  await runProgram(manager.fetch(dir), dir, say, signal);
  const found = readdirSync(dir).find((name) => name.endsWith(manager.suffix));
  if (found === undefined) throw new Error(`${manager.needs[0]} left no ${manager.suffix} file`);
  let archive = `${dir}/${found}`;
  if (manager.toTar) {
    const output = manager.tarSuffix ? undefined : `${dir}/package.tar`;
    await runProgram(manager.toTar(archive), dir, output ?? say, signal);
    archive = output ?? `${archive}${manager.tarSuffix}`;
  }
  await unpackFile(archive, `${dir}/tree`, { devices: false, owners: false, signal });
  const file = PLACES.map((place) => `${dir}/tree/${place}`).find((path) => elfKindOf(path) === "static");
  if (file === undefined) throw new Error(`${found} holds no static busybox`);
  return file;
}
