/** Regular files: a new one each, its contents, then its metadata, all through one descriptor. */
import { sys } from "../ffi/syscall.ts";
import { GUARDS } from "./guards.ts";
import { type ByteString, cstr } from "./names.ts";
import type { TarEntry, TarReader } from "./tar.ts";
import { contentsOf } from "./unpack-contents.ts";
import type { Metadata } from "./unpack-metadata.ts";
import type { UnpackReport } from "./unpack-options.ts";
import type { Site } from "./unpack-site.ts";

export class Files {
  constructor(
    readonly site: Site,
    readonly metadata: Metadata,
    readonly report: UnpackReport,
  ) {}

  /** A promise only where contents have to be waited for. */
  add(entry: TarEntry, reader: TarReader, parts: readonly ByteString[]): Promise<void> | undefined {
    const parent = this.site.place(entry, parts, true);
    const name = cstr(parts.at(-1) ?? "");
    const fd = this.site.make(entry, parent, parts, () => sys("openat", parent, name, GUARDS.file, 0o600));
    let later: Promise<void> | undefined;
    try {
      later = reader.copy(contentsOf(this.site, entry, fd));
      if (!later) this.#written(entry, fd, parts);
    } finally {
      if (!later) sys("close", fd);
    }
    return later?.then(() => this.#written(entry, fd, parts)).finally(() => sys("close", fd));
  }

  #written(entry: TarEntry, fd: number, parts: readonly ByteString[]): void {
    this.metadata.ofFile(entry, fd, parts);
    this.report.files++;
    this.report.bytes += entry.size;
  }
}
