/** Filters that have to be compiled: for added capabilities, and from a file. */
import { ARCH, type Arch } from "../ffi/abi.ts";
import { uname } from "../ffi/libc.ts";
import type { Instruction } from "../security/bpf.ts";
import { compile, filterText } from "../security/compile.ts";
import { defaultPolicy } from "../security/default-policy.ts";
import { parseJson } from "../security/json.ts";
import { profilePolicy } from "../security/profile.ts";
import type { ContainerOptions } from "./options.ts";
import { regularText } from "./regular.ts";

export interface Filter {
  readonly program: readonly Instruction[];
  /** SECCOMP_FILTER_FLAG_* */
  readonly flags: number;
}

/** `given`: "default" or a file. `say` hears of calls that the file refuses and we do not know. Throws UsageError. */
export function compileFilter(given: string, bounding: readonly string[], arch: Arch, say?: ContainerOptions["say"]): Filter {
  const capabilities = new Set(bounding);
  if (given === "default") return { program: compile(defaultPolicy(arch, capabilities), arch), flags: 0 };
  const where = `seccomp profile ${given}`;
  const profile = profilePolicy(
    parseJson(regularText(given, where), where),
    { arch, capabilities, kernel: uname().release },
    where,
  );
  if (profile.unknown.length > 0)
    say?.(`${where}: no such system calls here, so they are not refused: ${profile.unknown.join(" ")}`);
  return { program: compile(profile.policy, arch), flags: profile.flags };
}

export function filterFor(
  given: string,
  bounding: readonly string[],
  say: ContainerOptions["say"],
): { filter: string; flags: number } {
  const { program, flags } = compileFilter(given, bounding, ARCH, say);
  return { filter: filterText(program), flags };
}
