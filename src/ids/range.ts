/** Ranges of ids: sorted, disjoint lists after {@link merge}; what a list holds, shares with another, or lacks. Pure. */

export interface Range {
  readonly first: number;
  readonly size: number;
}

/** 4294967295 is (uid_t)-1, "no id" to chown(2) and setresuid(2): the last one that can be mapped is before it. */
export const MAX_ID = 0xfffffffe;

const end = (range: Range): number => range.first + range.size;

/** Ascending and disjoint; what touches becomes one. Empty ranges and ids that do not exist are left out. */
export function merge(ranges: readonly Range[]): Range[] {
  const out: Range[] = [];
  for (const { first, size } of [...ranges].sort((a, b) => a.first - b.first)) {
    const stop = Math.min(first + size, MAX_ID + 1);
    const last = out.at(-1);
    if (stop <= first) continue;
    if (last && first <= end(last)) out[out.length - 1] = { first: last.first, size: Math.max(end(last), stop) - last.first };
    else out.push({ first, size: stop - first });
  }
  return out;
}

/** What two merged lists share. */
export function intersect(a: readonly Range[], b: readonly Range[]): Range[] {
  return merge(
    a.flatMap((one) =>
      b.map((two) => {
        const first = Math.max(one.first, two.first);
        return { first, size: Math.max(0, Math.min(end(one), end(two)) - first) };
      }),
    ),
  );
}

/** A merged list without one id. */
export function without(ranges: readonly Range[], id: number): Range[] {
  return ranges.flatMap((range) =>
    id < range.first || id >= end(range)
      ? [range]
      : [
          { first: range.first, size: id - range.first },
          { first: id + 1, size: end(range) - id - 1 },
        ].filter(({ size }) => size > 0),
  );
}

/** Whether a merged list holds all of `range`. */
export const within = (range: Range, ranges: readonly Range[]): boolean =>
  ranges.some((one) => one.first <= range.first && end(range) <= end(one));

/** `1000, 100000-165535` */
export const describe = (ranges: readonly Range[]): string =>
  ranges.map(({ first, size }) => (size === 1 ? String(first) : `${first}-${first + size - 1}`)).join(", ");
