/** `nsrun unpack TAR DIR`. */
import type { Command } from "commander";
import { UsageError } from "../errors.ts";
import type { LimitOptions } from "../rootfs/limits.ts";
import type { UnpackReport } from "../rootfs/unpack-options.ts";
import { commanderOption } from "./help.ts";
import { RUN_OPTIONS } from "./options.ts";

interface UnpackCommandOptions extends LimitOptions {
  readonly devices?: boolean;
  readonly sameOwner: boolean;
}

const DESCRIPTION = `Unpacks TAR (.tar, .gz, .xz, .zst, .bz2; - is standard input) below DIR, as tar -C DIR -xpf TAR does, but no entry can land outside DIR.
Owners and set-id bits are kept as root only. Nothing is unpacked that overlayfs takes for a deleted file.`;

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

async function unpack(tar: string, dir: string, options: UnpackCommandOptions): Promise<void> {
  const { askedLimits } = await import("../rootfs/limits.ts");
  const { unpackFile } = await import("../rootfs/archive.ts");
  const limits = askedLimits(options);
  const root = process.geteuid?.() === 0;
  if (options.devices && !root) throw new UsageError("--devices needs root: only root can make device nodes");
  const report = await unpackFile(tar, dir, {
    ...limits,
    devices: options.devices ?? false,
    ...(options.sameOwner ? {} : { owners: false }),
  });
  const setid = report.setid > 0 ? `, ${report.setid} of them set-id` : "";
  process.stderr.write(`nsrun: ${report.entries} entries${setid}${leftOut(report, root)}\n`);
}

export function unpackCommand(top: Command): void {
  const command = top
    .command("unpack")
    .summary("unpack a root file system archive safely")
    .description(DESCRIPTION)
    .argument("<TAR>")
    .argument("<DIR>")
    .option("--devices", "make device nodes too (root only)")
    .option("--no-same-owner", "all is ours, without set-id bits; default without root")
    .action(unpack);
  for (const option of RUN_OPTIONS) if (option.name.startsWith("max-")) command.addOption(commanderOption(option));
}
