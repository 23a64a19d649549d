/** `nsrun unpack TAR DIR`. */
import { UsageError } from "../errors.ts";
import { unpackFile } from "../rootfs/archive.ts";
import { askedLimits, type LimitOptions } from "../rootfs/limits.ts";
import type { UnpackReport } from "../rootfs/unpack-options.ts";
import { warn } from "./print.ts";

interface UnpackCommandOptions extends LimitOptions {
  readonly devices?: boolean;
  readonly sameOwner?: boolean;
}

/** "3 device nodes (see --devices), 2 owners": what was left out, in words. */
function leftOut({ skipped }: UnpackReport, root: boolean): string {
  const words = [
    [skipped.devices, root ? "device nodes (see --devices)" : "device nodes"],
    [skipped.owners, "owners"],
    [skipped.setid, "set-id bits"],
    [skipped.xattrs, "extended attributes"],
  ] as const;
  const list = words.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
  return list.length > 0 ? `; left out: ${list.join(", ")}` : "";
}

export async function unpack([tar = "", dir = ""]: readonly string[], options: UnpackCommandOptions): Promise<number> {
  const limits = askedLimits(options);
  const root = process.geteuid?.() === 0;
  if (options.devices && !root) throw new UsageError("--devices needs root: only root can make device nodes");
  const report = await unpackFile(tar, dir, {
    ...limits,
    devices: options.devices ?? false,
    ...(options.sameOwner === false ? { owners: false } : {}),
  });
  const setid = report.setid > 0 ? `, ${report.setid} of them set-id` : "";
  await warn([`nsrun: ${report.entries} entries${setid}${leftOut(report, root)}`]);
  return 0;
}
