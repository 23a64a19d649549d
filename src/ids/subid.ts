/** The ids that a user may give away in a user namespace: subuid(5), subgid(5). Pure. */
import { MAX_ID, type Range } from "./map.ts";

/**
 * The ranges of `user` (by name or by uid, as newuidmap(1) looks) in the text of /etc/subuid, in its order. Lines that are no
 * `NAME:FIRST:COUNT` are passed over, as shadow does; ranges that meet are counted once.
 */
export function grantedTo(text: string, user: { readonly name: string | undefined; readonly uid: number }): Range[] {
  const ranges: Range[] = [];
  for (const line of text.split("\n")) {
    const [who, from = "", count = "", ...more] = line.trim().split(":");
    if (more.length > 0 || !(who === String(user.uid) || (who !== "" && who === user.name))) continue;
    if (!/^[0-9]{1,10}$/.test(from) || !/^[0-9]{1,10}$/.test(count)) continue;
    const [first, size] = [Number(from), Number(count)];
    if (size > 0 && first + size - 1 <= MAX_ID) addTo(ranges, { first, size });
  }
  return ranges;
}

/** Of a range that meets earlier ones only the rest is new. */
function addTo(ranges: Range[], range: Range): void {
  let pieces = [range];
  for (const { first, size } of ranges) {
    pieces = pieces.flatMap((piece) => {
      const [end, pieceEnd] = [first + size, piece.first + piece.size];
      if (pieceEnd <= first || end <= piece.first) return [piece];
      return [
        { first: piece.first, size: first - piece.first },
        { first: end, size: pieceEnd - end },
      ].filter((rest) => rest.size > 0);
    });
  }
  ranges.push(...pieces);
}

/** `100000-165535` */
export const showRanges = (ranges: readonly Range[]): string =>
  ranges.map(({ first, size }) => `${first}-${first + size - 1}`).join(", ");
