/** What somebody probably meant who wrote a name that there is not. */

/** Edit distance up to one swap or two changes is a slip of the keys. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let k = 1; k <= b.length; k++) {
      next[k] = Math.min(row[k]! + 1, next[k - 1]! + 1, row[k - 1]! + (a[i - 1] === b[k - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length]!;
}

/** The name that was probably meant. */
export function didYouMean(word: string, names: readonly string[]): string | undefined {
  const near = names.map((name) => [distance(word, name), name] as const).sort((x, y) => x[0] - y[0])[0];
  return near && near[0] <= Math.max(1, Math.floor(word.length / 3)) ? near[1] : undefined;
}
