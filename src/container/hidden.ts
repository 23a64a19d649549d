/** Which paths of /proc and /sys are hidden or read-only: those of the policy that this kernel has. */
import { NsrunError, UsageError } from "../errors.ts";
import { AT_FDCWD, FSCONFIG, O } from "../ffi/flags.ts";
import { sys } from "../ffi/syscall.ts";
import type { ContainerSpec, Mount } from "../plan/spec.ts";
import { MASKED, READ_ONLY, SCRATCH } from "../security/defaults.ts";
import type { ContainerOptions } from "./options.ts";

/** A file system of the kernel's that is mounted nowhere; -errno without privilege. */
function privateMount(type: string): number {
  const context = sys("fsopen", type, 1);
  if (context < 0) return context;
  sys("fsconfig", context, FSCONFIG.FSCONFIG_CMD_CREATE, null, null, 0);
  const mount = sys("fsmount", context, 1, 0);
  sys("close", context);
  return mount;
}

/**
 * `look` on the host's `path`, which is the same kernel's; where it is not there or shows only a part, on a mount of our own.
 * Never taken for "there is nothing to hide". `look` says undefined for what is no such file system.
 */
function onKernelFs<T>(path: string, type: string, look: (dir: number) => T | undefined): T {
  for (const open of [() => sys("openat", AT_FDCWD, path, O.O_PATH | O.O_DIRECTORY | O.O_CLOEXEC, 0), () => privateMount(type)]) {
    const dir = open();
    if (dir < 0) continue;
    const found = look(dir);
    sys("close", dir);
    if (found !== undefined) return found;
  }
  throw new NsrunError(`cannot see which paths of ${path} have to be hidden: it is not mounted, or not whole`, {
    hint: `mount -t ${type} ${type} ${path}; or --unmask all`,
  });
}

/** The paths below `dir` that are there. `sure` is there in every such file system. */
function existing(dir: "/proc" | "/sys", type: string, sure: string, paths: readonly string[]): string[] {
  const start = dir.length + 1;
  const mine = paths.filter((path) => path.startsWith(`${dir}/`));
  // one by one: to list /proc costs three times as much, for its processes
  const isThere = (mount: number, path: string) => sys("faccessat2", mount, path.slice(start), 0, 0) === 0;
  return onKernelFs(dir, type, (mount) => (isThere(mount, sure) ? mine.filter((path) => isThere(mount, path)) : undefined));
}

const ENOENT = 2;

/** Whether the kernel has keys (CONFIG_KEYS): only a whole /proc that has no list of them shows that it has none. */
export function hasKeys(hidden: readonly { readonly path: string }[] = []): boolean {
  if (hidden.some(({ path }) => path === "/proc/keys")) return true; // seen already
  const look = (path: string) => sys("faccessat2", AT_FDCWD, path, 0, 0);
  return look("/proc/meminfo") !== 0 || look("/proc/keys") !== -ENOENT;
}

type HiddenPaths = Pick<ContainerSpec, "maskedPaths" | "readonlyPaths" | "scratch">;

function checkUnmask(unmask: readonly string[]): void {
  const known = [...MASKED.map(({ path }) => path), ...READ_ONLY, ...SCRATCH];
  const stranger = unmask.find((path) => !known.includes(path));
  if (stranger !== undefined)
    throw new UsageError(`--unmask ${stranger}: not among what is hidden or read-only`, {
      hint: `known: ${known.join(" ")} all`,
    });
}

/** Their paths without a slash at the end. Throws UsageError. */
function unmasked(paths: readonly string[]): string[] {
  const unmask = paths.map((path) => (path === "/" ? path : path.replace(/\/+$/, "")));
  checkUnmask(unmask);
  return unmask;
}

export const unmasksAll = ({ unmask = [] }: ContainerOptions): boolean => unmask.includes("all") || unmask.includes("ALL");

/** For a root of the container's own. Throws UsageError for an --unmask that means nothing, NsrunError where it cannot be found out. */
export function hiddenPaths(options: ContainerOptions, ownRoot: boolean, mounts: readonly Mount[] = []): HiddenPaths {
  if (!ownRoot || unmasksAll(options)) return { maskedPaths: [], readonlyPaths: [], scratch: [] };
  const unmask = options.unmask?.length ? unmasked(options.unmask) : [];
  const masked = MASKED.filter(({ path }) => !unmask.includes(path));
  // what is below a read-only /sys is so already
  const readOnly = READ_ONLY.filter((path) => !unmask.includes(path) && (unmask.includes("/sys") || !path.startsWith("/sys/")));
  const paths = [...masked.map(({ path }) => path), ...readOnly];
  const there = [
    "/sys",
    "/dev",
    ...existing("/proc", "proc", "/proc/meminfo", paths),
    ...existing("/sys", "sysfs", "/sys/kernel", paths),
  ];
  return {
    maskedPaths: masked.filter(({ path }) => there.includes(path)),
    readonlyPaths: readOnly.filter((path) => there.includes(path)),
    scratch: options.rw ? [] : SCRATCH.filter((path) => !unmask.includes(path) && !mounts.some(({ target }) => target === path)),
  };
}
