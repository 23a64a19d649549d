/** What can be asked of an unpacking, and what it tells. */
import type { UnpackLimits } from "./limits.ts";
import type { ByteString } from "./names.ts";

export interface UnpackOptions extends Partial<UnpackLimits> {
  /** What messages call the archive. */
  readonly archive?: string;
  /** Make device nodes, which needs root; default: they are left out and counted. Fifos, which anybody may make, are made. */
  readonly devices?: boolean;
  /** Give files their owners; default: when root. Otherwise all is ours. */
  readonly owners?: boolean;
  /**
   * Where owners are not given here: is told every name's, in the archive's order (undefined: the name is another's now), and
   * says whether it will give them later. What it will not is counted as skipped.
   */
  readonly later?: (path: ByteString, owner: Owner | undefined) => boolean;
  /** With owners: which ones can be given; default all. The rest stays ours and is counted as skipped. */
  readonly mapped?: (uid: number, gid: number) => boolean;
  /**
   * Keep set-id bits also where owners are not given (they would then be ours); default false: such bits are cleared. "owned":
   * of each file whose owner is given.
   */
  readonly setid?: boolean | "owned";
  /** Ends it where it is when it fires, with the signal's reason; what is there stays. */
  readonly signal?: AbortSignal | undefined;
}

export interface Owner {
  readonly uid: number;
  readonly gid: number;
  /** Of a regular file: its set-id bits are lost by a change of owner. Else 0. */
  readonly setid: number;
}

/** What was made, and what was left out: nothing else was. */
export interface UnpackReport {
  entries: number;
  bytes: number;
  files: number;
  directories: number;
  symlinks: number;
  hardlinks: number;
  fifos: number;
  devices: number;
  /** Files that run as their owner or group, whoever starts them. */
  setid: number;
  /** Device nodes not made, owners not given, set-id bits cleared, extended attributes not set. */
  skipped: { devices: number; owners: number; setid: number; xattrs: number };
}

export const emptyReport = (): UnpackReport => ({
  entries: 0,
  bytes: 0,
  files: 0,
  directories: 0,
  symlinks: 0,
  hardlinks: 0,
  fifos: 0,
  devices: 0,
  setid: 0,
  skipped: { devices: 0, owners: 0, setid: 0, xattrs: 0 },
});
