/**
 * What keeps an archive inside its directory, as one table that the unpacker looks into: nothing in src writes it, no option
 * reaches it. The tests put a weaker entry in its place, one at a time, and show that the attack it is there for then works.
 */
import { AT, O } from "../ffi/flags.ts";
import { splitName } from "./names.ts";
import { checksumFits } from "./tar-header.ts";

const table = {
  /** A name's components; `..` and NUL are refused, a leading `/` is taken off. */
  split: splitName,
  /** How a component of a name is opened: a link is no directory. */
  component: O.O_PATH | O.O_NOFOLLOW | O.O_DIRECTORY | O.O_CLOEXEC,
  /** How a file is made: never what is there already, be it a link, a fifo or a second name of something. */
  file: O.O_WRONLY | O.O_CREAT | O.O_EXCL | O.O_NOFOLLOW | O.O_CLOEXEC,
  /** linkat(2): without AT_SYMLINK_FOLLOW a hard link to a link is a name of the link. */
  link: 0,
  /** Owner, mode and time of what is no open file. */
  metadata: AT.AT_SYMLINK_NOFOLLOW as number,
  /** Modes of directories come last: not through a name that something else has got meanwhile. */
  replaced: (directories: Map<string, unknown>, path: string): void => void directories.delete(path),
  /** A device node that hides the name below it from overlayfs (Documentation/filesystems/overlayfs.rst, "whiteouts"). */
  whiteout: (type: string, major: number, minor: number): boolean => type === "char" && major === 0 && minor === 0,
  /** Attributes that say the same, or send overlayfs to another directory (redirect, metacopy, opaque). */
  overlayAttribute: (name: string): boolean => /^(user|trusted)\.overlay\./.test(name),
  /** A header that is none: the place in the stream was lost, or never known. */
  checksum: checksumFits,
  /** A C string ends at a NUL: two readers would see two names. */
  nul: (value: string): boolean => value.includes("\0"),
  /** A pax or GNU name header is held in memory: so many bytes. */
  extension: 1 << 20,
  /** After the end marker only zeros may come: a second archive behind the first would be dropped in silence. */
  trailing: (piece: Uint8Array): boolean => piece.some((byte) => byte !== 0),
  /** 4294967295 is chown(2)'s "leave it as it is". */
  owner: (id: number): boolean => id >= 0 && id < 0xffffffff,
};

export const GUARDS: Readonly<typeof table> = table;
