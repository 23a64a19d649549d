/** Loaded when an argument has a U+FFFD: was it there, or has Bun put it for bytes that are not UTF-8? */
import { UsageError } from "../errors.ts";
import { exactText, shownBytes, wordsOf } from "../ffi/exact.ts";
import { readBytes } from "../ffi/file.ts";
import { failed } from "../ffi/syscall.ts";

/** Throws UsageError for the first argument that is not what its writer wrote. */
export function refuseBytes(): void {
  const line = readBytes("/proc/self/cmdline");
  if (typeof line === "number") throw failed(line, "read /proc/self/cmdline");
  const word = wordsOf(line).find((one) => exactText(one) === undefined);
  if (word) throw new UsageError(`an argument is not valid UTF-8: ${shownBytes(word)}`);
}
