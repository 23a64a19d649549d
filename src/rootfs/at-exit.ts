/** What is undone also when the process ends in the middle by process.exit(), as the command line does at a signal. */

const pending = new Set<() => void>();
let listening = false;

/** The last thing first. */
function undoAll(): void {
  for (const undo of [...pending].reverse()) {
    try {
      undo();
    } catch {
      // there is nobody left to tell; the next sweep of the cache tries again
    }
  }
}

/** `undo` runs, synchronously, if the process exits before the result is disposed of. */
export function atExit(undo: () => void): Disposable {
  if (!listening) process.on("exit", undoAll);
  listening = true;
  const own = () => undo(); // one entry each, whatever is undone twice
  pending.add(own);
  return { [Symbol.dispose]: () => void pending.delete(own) };
}
