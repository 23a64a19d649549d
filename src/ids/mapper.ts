/** newuidmap(1) and newgidmap(1): the set-uid programs that may write maps for an ordinary user. */
import { AT_FDCWD } from "../ffi/flags.ts";
import { bytes, sys } from "../ffi/syscall.ts";
import { statPath } from "../rootfs/stat.ts";

const S_ISUID = 0o4000;
const DIRECTORIES = ["/usr/bin", "/usr/sbin", "/bin", "/usr/local/bin"];

/** Set-uid root, or with file capabilities (as Fedora has it): xattr(7), capabilities(7). */
function privileged(path: string, mode: number, uid: number): boolean {
  return ((mode & S_ISUID) !== 0 && uid === 0) || sys("getxattr", path, "security.capability", bytes(64), 64) > 0;
}

/** Its path, or what is wrong with it in words. A directory of $PATH counts only when it is absolute. */
export function findMapper(name: string): { readonly path: string } | { readonly problem: string } {
  const own = (process.env.PATH ?? "").split(":").filter((directory) => directory.startsWith("/"));
  let seen: string | undefined;
  for (const directory of new Set([...DIRECTORIES, ...own])) {
    const path = `${directory}/${name}`;
    const stat = statPath(AT_FDCWD, path);
    if (typeof stat === "number" || (stat.mode & 0o170000) !== 0o100000) continue;
    if (sys("faccessat2", AT_FDCWD, path, 1 /* X_OK */, 0) === 0 && privileged(path, stat.mode, stat.uid)) return { path };
    seen ??= path;
  }
  return {
    problem: seen
      ? `${seen} to be set-uid root, which it is not: chmod u+s ${seen}`
      : `the program ${name}, which is not installed`,
  };
}
