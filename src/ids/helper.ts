/** newuidmap(1), newgidmap(1): where they are, and whether they have the privilege that makes them useful. */
import { AT_FDCWD, PR, S } from "../ffi/flags.ts";
import { bytes, sys } from "../ffi/syscall.ts";
import { statPath } from "../rootfs/stat.ts";

export type Helper = { readonly path: string } | { readonly problem: string };

const PLACES = ["/usr/bin", "/usr/sbin"];
const SETUID = 0o4000;
const X_OK = 1;
const ST_NOSUID = 2; // statfs(2)
const F_FLAGS = 80; // struct statfs, 64 bit: asm-generic/statfs.h

/** Why an existing file would run without privilege, or undefined. */
function powerless(path: string, stat: { mode: number; uid: number }): string | undefined {
  const setuid = (stat.mode & SETUID) !== 0 && stat.uid === 0;
  if (!setuid && sys("getxattr", path, "security.capability", null, 0) < 0)
    return `${path} has neither its setuid bit nor file capabilities (reinstall Debian's package uidmap, or: chmod u+s ${path})`;
  const fs = bytes(120);
  if (sys("statfs", path, fs) >= 0 && (fs[F_FLAGS]! & ST_NOSUID) !== 0)
    return `${path} lies on a mount with nosuid, which takes its privilege`;
  return undefined;
}

/** Looks in /usr/bin, /usr/sbin and PATH; the first one that can do its work, else why the first one cannot. */
export function findHelper(name: string, path = process.env.PATH ?? ""): Helper {
  if (sys("prctl", PR.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) === 1)
    return { problem: `no_new_privs is set for this process, so ${name} would run without its privilege` };
  let problem: string | undefined;
  for (const place of [...PLACES, ...path.split(":")]) {
    if (!place.startsWith("/")) continue;
    const file = `${place}/${name}`;
    const stat = statPath(AT_FDCWD, file);
    if (typeof stat === "number" || (stat.mode & S.S_IFMT) !== S.S_IFREG) continue;
    const why = sys("faccessat2", AT_FDCWD, file, X_OK, 0) < 0 ? `${file} may not be executed` : powerless(file, stat);
    if (why === undefined) return { path: file };
    problem ??= why;
  }
  return { problem: problem ?? `${name} is not installed (Debian's package uidmap)` };
}
