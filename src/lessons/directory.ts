/**
 * A directory of a lesson's own, gone with its block, and with the process where that ends early; after a kill -9 with the next
 * lesson that makes one.
 */
import { chmodSync, existsSync, lstatSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What a killed nsrun of ours has left: the name says which process that was. */
function removeOrphans(): void {
  for (const name of readdirSync(tmpdir())) {
    const [, pid] = /^nsrun-demo-(\d+)-/.exec(name) ?? [];
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    const path = join(tmpdir(), name);
    if (lstatSync(path, { throwIfNoEntry: false })?.uid === process.geteuid?.()) rmSync(path, { recursive: true, force: true });
  }
}

export function temporary(mode = 0o700): { readonly path: string } & Disposable {
  removeOrphans();
  const path = mkdtempSync(join(tmpdir(), `nsrun-demo-${process.pid}-`));
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
