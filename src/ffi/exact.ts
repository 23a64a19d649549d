/** Bytes that ought to be text: Bun puts U+FFFD for what is not UTF-8, in its arguments, variables and paths, and tells nobody. */

/** What Bun shows for a byte that it cannot decode; the real character too. */
export const REPLACED = "\uFFFD";

/** Undefined when `bytes` are not UTF-8. */
export function exactText(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** The words of /proc/PID/cmdline or environ: each ends with NUL. */
export function wordsOf(bytes: Uint8Array): Uint8Array[] {
  const words: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(0, at);
    const stop = end < 0 ? bytes.length : end;
    words.push(bytes.subarray(at, stop));
    at = stop + 1;
  }
  return words;
}

/** For a message: what is not printable ASCII as `\xff`. */
export function shownBytes(bytes: Uint8Array): string {
  const one = (byte: number) =>
    byte > 31 && byte < 127 ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, "0")}`;
  const text = Array.from(bytes.subarray(0, 200), one).join("");
  return bytes.length > 200 ? `${text}...` : text;
}
