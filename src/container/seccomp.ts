/** Filters that have to be compiled: for added capabilities, and from a file. */
import { UsageError } from "../errors.ts";
import { ARCH, type Arch, syscallNumber } from "../ffi/abi.ts";
import { uname } from "../ffi/libc.ts";
import type { Instruction } from "../security/bpf.ts";
import { compile, filterText } from "../security/compile.ts";
import { defaultPolicy } from "../security/default-policy.ts";
import { parseJson } from "../security/json.ts";
import { mayAllow, type Policy } from "../security/policy.ts";
import { profilePolicy } from "../security/profile.ts";
import type { ContainerOptions } from "./options.ts";
import { regularText } from "./regular.ts";

export interface Filter {
  readonly policy: Policy;
  readonly program: readonly Instruction[];
  /** SECCOMP_FILTER_FLAG_* */
  readonly flags: number;
}

/** `given`: "default" or a file. `say` hears of calls that the file refuses and we do not know. Throws UsageError. */
export function compileFilter(given: string, bounding: readonly string[], arch: Arch, say?: ContainerOptions["say"]): Filter {
  const capabilities = new Set(bounding);
  if (given === "default") {
    const policy = defaultPolicy(arch, capabilities);
    return { policy, program: compile(policy, arch), flags: 0 };
  }
  const where = `seccomp profile ${given}`;
  const profile = profilePolicy(
    parseJson(regularText(given, where), where),
    { arch, capabilities, kernel: uname().release },
    where,
  );
  if (profile.unknown.length > 0)
    say?.(`${where}: no such system calls here, so they are not refused: ${profile.unknown.join(" ")}`);
  return { policy: profile.policy, program: compile(profile.policy, arch), flags: profile.flags };
}

/** For a command to be started. Throws UsageError for a filter that would refuse just that. */
export function filterFor(
  given: string,
  bounding: readonly string[],
  say: ContainerOptions["say"],
): { filter: string; flags: number } {
  const { policy, program, flags } = compileFilter(given, bounding, ARCH, say);
  if (!mayAllow(policy, syscallNumber("execve", ARCH)))
    throw new UsageError(`seccomp profile ${given}: it refuses execve, so that no command could be started`);
  return { filter: filterText(program), flags };
}
