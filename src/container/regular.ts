/** A file that an option names: a fifo or a device might never end. */
import { UsageError } from "../errors.ts";
import { errnoName } from "../ffi/errno.ts";
import { exactText } from "../ffi/exact.ts";
import { readBytes } from "../ffi/file.ts";
import { AT_FDCWD, S } from "../ffi/flags.ts";
import { statPath } from "../rootfs/stat.ts";

/** Its text. Throws UsageError, which begins with `what`. */
export function regularText(path: string, what: string): string {
  const refuse = (why: string) => new UsageError(`${what}: ${why}`);
  const stat = statPath(AT_FDCWD, path);
  if (typeof stat === "number") throw refuse(`cannot be read (${errnoName(-stat)})`);
  if ((stat.mode & S.S_IFMT) !== S.S_IFREG) throw refuse("not a regular file");
  const read = readBytes(path);
  if (typeof read === "number") throw refuse(`cannot be read (${errnoName(-read)})`);
  const text = exactText(read);
  if (text === undefined) throw refuse("not valid UTF-8");
  return text;
}
