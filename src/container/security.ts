/** What is taken away from the command: options become the parts of the spec. What is not the default is loaded when asked for. */
import { UsageError } from "../errors.ts";
import { ARCH } from "../ffi/abi.ts";
import { CAPABILITIES } from "../ffi/flags.ts";
import type { Capabilities, NamespaceUse, ProcessSpec, SeccompSpec } from "../plan/spec.ts";
import { DEFAULT_FILTER, FILTER_CAPABILITIES, INIT_FILTER } from "../security/default-filter.ts";
import { DEFAULT_CAPABILITIES } from "../security/defaults.ts";
import type { Caller } from "./caller.ts";
import type { ContainerOptions } from "./options.ts";
import { outerFilters } from "./outer.ts";

const CAP_SETPCAP = 8;

/** In a user namespace that is not ours we have all capabilities, but none of them counts outside. */
async function capabilities(options: ContainerOptions, caller: Caller, own: boolean): Promise<Capabilities> {
  const available = (name: string) => own || caller.permits(CAPABILITIES.indexOf(name));
  // the second is never used (pid 1's filter forbids ptrace): who lacks it cannot trace a process that has it
  const init = ["CAP_KILL", "CAP_SYS_PTRACE"].filter(available);
  if (!own && caller.euid !== 0 && !caller.permits(CAP_SETPCAP)) {
    if (options.capAdd?.length) throw new UsageError("--cap-add needs root, or a user namespace of the container's own");
    return { bounding: undefined, ambient: [], init: [] };
  }
  if (!options.capAdd?.length && !options.capDrop?.length)
    return { bounding: DEFAULT_CAPABILITIES.filter(available), ambient: [], init };
  const { capabilitySets } = await import("../security/capabilities.ts");
  const { bounding, added } = capabilitySets(options, available);
  return { bounding, ambient: added, init };
}

function counted(): Pick<SeccompSpec, "outer"> {
  const outer = outerFilters();
  return outer === undefined ? {} : { outer };
}

async function seccomp(options: ContainerOptions, bounding: readonly string[]): Promise<SeccompSpec | undefined> {
  const { seccomp: given = "default" } = options;
  if (given === "none") return undefined;
  const init = INIT_FILTER[ARCH];
  const plain = !bounding.some((name) => FILTER_CAPABILITIES.includes(name));
  if (given === "default" && plain) return { filter: DEFAULT_FILTER[ARCH], init, flags: 0, own: true, ...counted() };
  const { filterFor } = await import("./seccomp.ts");
  return { init, ...filterFor(given, bounding, options.say), own: given === "default", ...counted() };
}

/** `user`: whose user namespace the command is in. Throws UsageError. */
export async function security(
  options: ContainerOptions,
  caller: Caller,
  user: NamespaceUse["mode"],
): Promise<Pick<ProcessSpec, "capabilities" | "noNewPrivileges" | "newKeyring" | "seccomp">> {
  const sets = await capabilities(options, caller, user !== "share");
  return {
    capabilities: sets,
    noNewPrivileges: !options.newPrivileges,
    newKeyring: options.newKeyring ?? true,
    seccomp: await seccomp(options, sets.bounding ?? []),
  };
}
