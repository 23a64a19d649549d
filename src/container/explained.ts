/** The second line of an error, where there is one: the catalogue is loaded only when something has failed. */
import { SyscallError } from "../errors.ts";

/** `error` itself, with its hint. Never throws. */
export async function explained<E>(error: E): Promise<E> {
  if (error instanceof SyscallError && error.hint === undefined && error.failed) {
    // out of descriptors there may be none to read the catalogue with: then the errno has to do
    const catalogue = await import("./hints.ts").catch(() => undefined);
    error.hint = catalogue?.hintFor(error.failed, error.errno);
  }
  return error;
}
