/** A directory of a lesson's own, gone with its block, and with the process where that ends early. */
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export function temporary(mode = 0o700): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), "nsrun-demo-"));
  chmodSync(path, mode);
  const remove = () => rmSync(path, { recursive: true, force: true });
  process.on("exit", remove);
  return {
    path,
    [Symbol.dispose]() {
      process.off("exit", remove);
      remove();
    },
  };
}
