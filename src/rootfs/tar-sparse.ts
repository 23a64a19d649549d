/**
 * Files with holes: which parts of a file its body holds. GNU tar's manual, "Storing Sparse Files": the old format (type `S`,
 * the map in the header and in blocks behind it), pax 0.1 (`GNU.sparse.map`), pax 1.0 (the map at the start of the body). Pure.
 */
import { GUARDS } from "./guards.ts";
import { byteString } from "./names.ts";
import { BLOCK, HeaderProblem, tarNumber } from "./tar-header.ts";
import { type PaxRecords, paxInteger } from "./tar-pax.ts";

/** A part that the body holds; what lies between is zeros. */
export interface Segment {
  readonly offset: number;
  readonly size: number;
}

/** What a header says of a file with holes; `more`: where the rest of the map is. */
export interface Sparse {
  readonly realSize: number;
  readonly segments: readonly Segment[];
  readonly more: "blocks" | "body" | undefined;
}

/** `count` entries of the old format from `at`; one without bytes at offset 0 ends them. `struct sparse`, GNU tar's tar.h. */
function oldSegments(block: Uint8Array, at: number, count: number): Segment[] {
  const segments: Segment[] = [];
  for (let i = 0; i < count; i++) {
    if (block[at + i * 24] === 0) break; // an unused entry is all NUL
    const offset = tarNumber(block, at + i * 24, 12, "sparse offset");
    segments.push({ offset, size: tarNumber(block, at + i * 24 + 12, 12, "sparse size") });
  }
  return segments;
}

/** The map in a header of type `S`. */
export function oldSparse(block: Uint8Array): Sparse {
  const more = block[482] ? "blocks" : undefined;
  return { realSize: tarNumber(block, 483, 12, "real size"), segments: oldSegments(block, 386, 4), more };
}

/** A block of the old format's map, and whether another follows. */
const oldBlock = (block: Uint8Array): { segments: Segment[]; more: boolean } => ({
  segments: oldSegments(block, 0, 21),
  more: block[504] !== 0,
});

const pairs = (numbers: readonly number[]): Segment[] =>
  Array.from({ length: numbers.length >> 1 }, (_, i) => ({ offset: numbers[2 * i] ?? 0, size: numbers[2 * i + 1] ?? 0 }));

function integer(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new HeaderProblem("malformed sparse map");
  return Number(text);
}

/** What pax records say; undefined where they say nothing of holes. */
export function paxSparse(pax: PaxRecords): Sparse | undefined {
  const realSize = paxInteger(pax, "GNU.sparse.realsize") ?? paxInteger(pax, "GNU.sparse.size");
  const version = `${pax.get("GNU.sparse.major") ?? 0}.${pax.get("GNU.sparse.minor") ?? 0}`;
  const map = pax.get("GNU.sparse.map");
  if (version === "0.0" && map === undefined && realSize === undefined) return undefined;
  if (realSize === undefined) throw new HeaderProblem("a sparse file without its size");
  if (version === "1.0") return { realSize, segments: [], more: "body" };
  if (version !== "0.0" || map === undefined) throw new HeaderProblem(`sparse format ${version} is not supported`);
  const numbers = map === "" ? [] : map.split(",").map(integer);
  if (numbers.length % 2 !== 0) throw new HeaderProblem("malformed sparse map");
  return { realSize, segments: pairs(numbers), more: undefined };
}

/** A map whose rest lies in blocks, which `next` gives one by one. Throws {@link HeaderProblem}. */
export async function wholeMap(
  { segments, more }: Sparse,
  next: () => Promise<Uint8Array>,
): Promise<{ segments: readonly Segment[]; blocks: number }> {
  if (!more) return { segments, blocks: 0 };
  const all = [...segments];
  let text = "";
  let lines = 0;
  for (let blocks = 1; blocks * BLOCK <= GUARDS.extension; blocks++) {
    const block = await next();
    if (more === "blocks") {
      const read = oldBlock(block);
      all.push(...read.segments);
      if (!read.more) return { segments: all, blocks };
      continue;
    }
    const part = byteString(block);
    text += part;
    lines += part.split("\n").length - 1;
    const found = bodySegments(text, lines);
    if (found) return { segments: found, blocks };
  }
  throw new HeaderProblem(`sparse map of more than ${GUARDS.extension} bytes`);
}

/** A 1.0 map: lines of decimal numbers, the first of which is how many pairs follow. Undefined: not all of it yet. */
function bodySegments(text: string, lines: number): Segment[] | undefined {
  if (lines === 0) throw new HeaderProblem("malformed sparse map");
  const count = integer(text.slice(0, text.indexOf("\n")));
  if (lines < 1 + 2 * count) return undefined;
  const numbers = text.split("\n").slice(1, 1 + 2 * count);
  return pairs(numbers.map(integer));
}

/** Refuses what two readers would read differently. `stored`: bytes of the body that are left. */
export function checkSegments(segments: readonly Segment[], realSize: number, stored: number): void {
  let end = 0;
  let sum = 0;
  for (const { offset, size } of segments) {
    if (offset < end || size < 0) throw new HeaderProblem("sparse map out of order");
    end = offset + size;
    sum += size;
  }
  if (end > realSize) throw new HeaderProblem("sparse map beyond the end of the file");
  if (sum !== stored) throw new HeaderProblem(`sparse map of ${sum} bytes for ${stored}`);
}
