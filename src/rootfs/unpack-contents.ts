/** The contents of a file, piece by piece as they come out of the archive. */
import { NsrunError } from "../errors.ts";
import { sys } from "../ffi/syscall.ts";
import { showText } from "./names.ts";
import type { TarEntry } from "./tar.ts";
import type { Segment } from "./tar-sparse.ts";
import type { Site } from "./unpack-site.ts";

/** Where the pieces of `entry`'s body go: into `fd`, a new file at its start. */
export function contentsOf(site: Site, entry: TarEntry, fd: number): (piece: Uint8Array) => void {
  return entry.sparse ? withHoles(site, entry, entry.sparse, fd) : (piece) => write(site, entry, fd, piece);
}

function write(site: Site, entry: TarEntry, fd: number, piece: Uint8Array): void {
  for (let at = 0; at < piece.length; ) {
    const written = site.check(sys("write", fd, at === 0 ? piece : piece.subarray(at), piece.length - at), entry);
    if (written === 0) throw new NsrunError(`${showText(site.archive)}: nothing more can be written${site.where(entry)}`);
    at += written;
  }
}

/** The file gets its size first: its end may be a hole. */
function withHoles(site: Site, entry: TarEntry, segments: readonly Segment[], fd: number): (piece: Uint8Array) => void {
  site.check(sys("ftruncate", fd, entry.size), entry);
  let [index, done] = [0, 0];
  return (piece) => {
    for (let at = 0; at < piece.length; ) {
      const segment = segments[index];
      if (!segment) throw site.refuse(entry, "more in a sparse file than its map says");
      const part = piece.subarray(at, at + segment.size - done);
      if (part.length > 0) {
        site.check(sys("lseek", fd, segment.offset + done, 0), entry);
        write(site, entry, fd, part);
      }
      at += part.length;
      done += part.length;
      if (done === segment.size) [index, done] = [index + 1, 0];
    }
  };
}
