/** subuid(5), subgid(5) and passwd(5), as text. Pure: lines that say nothing sensible are passed over, as shadow does. */
import { decimal } from "./map.ts";
import { merge, type Range } from "./range.ts";

/** The ranges of `OWNER:FIRST:SIZE` lines whose owner is the user's name or number; merged. */
export function grantedRanges(text: string, name: string | undefined, id: number): Range[] {
  const ranges: Range[] = [];
  for (const raw of text.split("\n")) {
    const [owner = "", start = "", count = "", ...more] = raw.trim().split(":");
    if (more.length > 0 || (owner !== name && owner !== String(id))) continue;
    const [first, size] = [decimal(start), decimal(count)];
    if (first !== undefined && size !== undefined) ranges.push({ first, size });
  }
  return merge(ranges);
}

/** Name and primary group of a user, from the text of /etc/passwd. */
export function passwdEntry(text: string, uid: number): { name: string; gid: number | undefined } | undefined {
  for (const line of text.split("\n")) {
    const [name = "", , id = "", gid = ""] = line.split(":");
    if (name !== "" && decimal(id) === uid) return { name, gid: decimal(gid) };
  }
  return undefined;
}

/** The text of /proc/self/uid_map (its columns may be wide): the ids that exist in that namespace. */
export function presentRanges(text: string): Range[] {
  const rows = text
    .trim()
    .split("\n")
    .map((line) =>
      line
        .split(" ")
        .filter((word) => word !== "")
        .map(Number),
    );
  return merge(rows.map(([first = 0, , size = 0]) => ({ first, size })));
}
