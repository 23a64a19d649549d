/** `nsrun unpack TAR DIR`. */
import { unpackFile } from "../rootfs/archive.ts";
import { warn } from "./print.ts";

export async function unpack([tar = "", dir = ""]: readonly string[]): Promise<number> {
  const report = await unpackFile(tar, dir);
  const left = Object.entries(report.skipped).filter(([, count]) => count > 0);
  const without = left.length > 0 ? `; left out: ${left.map(([what, count]) => `${count} ${what}`).join(", ")}` : "";
  await warn([`nsrun: ${report.entries} entries${without}`]);
  return 0;
}
