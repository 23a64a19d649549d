/** `nsrun seccomp dump`: the filter that a container gets, in words. */
import { compileFilter } from "../container/seccomp.ts";
import { UsageError } from "../errors.ts";
import { ARCH, type Arch } from "../ffi/abi.ts";
import { capabilitySets } from "../security/capabilities.ts";
import { actionText, disassemble } from "../security/disassemble.ts";
import { print, warn } from "./print.ts";

interface DumpOptions {
  readonly arch?: string;
  readonly capAdd?: string[];
  readonly capDrop?: string[];
  readonly json?: boolean;
}

/** uname -m's names, as people write them. */
const ARCHES: Readonly<Record<string, Arch>> = { x86_64: "x64", aarch64: "arm64" };

/** `nsrun seccomp dump [FILE]` */
export async function seccompDump([file]: readonly string[], options: DumpOptions): Promise<number> {
  const arch = options.arch === undefined ? ARCH : Object.hasOwn(ARCHES, options.arch) ? ARCHES[options.arch] : undefined;
  if (arch === undefined) throw new UsageError(`--arch ${options.arch}: expected ${Object.keys(ARCHES).join(" or ")}`);
  const { bounding } = capabilitySets(options, () => true);
  const said: string[] = [];
  const { program } = compileFilter(file ?? "default", bounding, arch, (text) => void said.push(`nsrun: ${text}`));
  if (said.length > 0) await warn(said);
  if (options.json) {
    const shown = program.map((one) => ({ ...one, ...(one.code === 6 ? { action: actionText(one.k) } : {}) }));
    await print(`${JSON.stringify(shown)}\n`);
  } else await print(`${disassemble(program, arch).join("\n")}\n`);
  return 0;
}
