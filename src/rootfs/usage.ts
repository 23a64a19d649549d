/** What a tree occupies. */
import { errno } from "../ffi/errno.ts";
import { AT, AT_FDCWD, O, S } from "../ffi/flags.ts";
import { failed, sys } from "../ffi/syscall.ts";
import { cstr } from "./names.ts";
import { statPath } from "./stat.ts";
import { listAll } from "./tree.ts";

const EACCES = -errno("EACCES");

/** Bytes on the disk below `path`, each file once. Shell: `du -s --block-size=1 PATH`. Undefined where a part may not be read. */
export function diskUsage(path: string): number | undefined {
  const seen = new Set<bigint>();
  let total = 0;
  const walk = (parent: number, name: string): boolean => {
    const fd = sys("openat", parent, cstr(name), O.O_RDONLY | O.O_DIRECTORY | O.O_NOFOLLOW | O.O_CLOEXEC, 0);
    if (fd === EACCES) return false;
    if (fd < 0) throw failed(fd, `open ${path}`);
    try {
      return listAll(fd).every((entry) => {
        const stat = statPath(fd, cstr(entry), AT.AT_SYMLINK_NOFOLLOW);
        if (typeof stat === "number" || seen.has(stat.ino)) return true;
        seen.add(stat.ino);
        total += stat.blocks * 512;
        return (stat.mode & S.S_IFMT) !== S.S_IFDIR || walk(fd, entry);
      });
    } finally {
      sys("close", fd);
    }
  };
  return walk(AT_FDCWD, path) ? total : undefined;
}
