/** `nsrun seccomp dump`: the filter that a container gets, in words. */
import type { Command } from "commander";
import { compileFilter } from "../container/seccomp.ts";
import { UsageError } from "../errors.ts";
import { ARCH, type Arch } from "../ffi/abi.ts";
import { capabilitySets } from "../security/capabilities.ts";
import { actionText, disassemble } from "../security/disassemble.ts";

interface DumpOptions {
  readonly arch?: string;
  readonly capAdd?: string[];
  readonly capDrop?: string[];
  readonly json?: boolean;
}

/** uname -m's names, as people write them. */
const ARCHES: Readonly<Record<string, Arch>> = { x86_64: "x64", aarch64: "arm64" };

const collect = (value: string, before: string[] = []): string[] => [...before, value];

function dump(file: string | undefined, options: DumpOptions): void {
  const arch = options.arch === undefined ? ARCH : Object.hasOwn(ARCHES, options.arch) ? ARCHES[options.arch] : undefined;
  if (arch === undefined) throw new UsageError(`--arch ${options.arch}: expected ${Object.keys(ARCHES).join(" or ")}`);
  const { bounding } = capabilitySets(options, () => true);
  const say = (text: string) => void process.stderr.write(`nsrun: ${text}\n`);
  const { program } = compileFilter(file ?? "default", bounding, arch, say);
  if (options.json) {
    const shown = program.map((one) => ({ ...one, ...(one.code === 6 ? { action: actionText(one.k) } : {}) }));
    process.stdout.write(`${JSON.stringify(shown)}\n`);
  } else process.stdout.write(`${disassemble(program, arch).join("\n")}\n`);
}

export function seccompCommand(top: Command): void {
  const group = top.command("seccomp").summary("look at system call filters").description("System call filters: seccomp(2).");
  group.helpCommand(false);
  group
    .command("dump")
    .summary("print a filter as a list of instructions")
    .description("Prints the default filter, or FILE's (Docker's or OCI's JSON), as nsrun run would load it.")
    .argument("[FILE]")
    .option("--arch <x86_64|aarch64>", "another machine than this one")
    .option("--cap-add <CAP,…>", "for a container with these capabilities besides", collect)
    .option("--cap-drop <CAP,…>", "for a container without these capabilities", collect)
    .option("--json", "struct sock_filter[] as JSON")
    .action(dump);
}
