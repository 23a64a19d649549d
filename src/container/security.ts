/** What is taken away from the command: options become the parts of the spec. What is not the default is loaded when asked for. */
import { UsageError } from "../errors.ts";
import { ARCH } from "../ffi/abi.ts";
import { AT_FDCWD, CAPABILITIES } from "../ffi/flags.ts";
import { sys } from "../ffi/syscall.ts";
import type { Capabilities, ContainerSpec, NamespaceUse, ProcessSpec, SeccompSpec } from "../plan/spec.ts";
import { DEFAULT_FILTER, FILTER_CAPABILITIES, INIT_FILTER } from "../security/default-filter.ts";
import { DEFAULT_CAPABILITIES, MASKED, READ_ONLY } from "../security/defaults.ts";
import type { Caller } from "./caller.ts";
import type { ContainerOptions } from "./options.ts";

const CAP_SETPCAP = 8;

/** In a user namespace that is not ours we have all capabilities, but none of them counts outside. */
async function capabilities(options: ContainerOptions, caller: Caller, own: boolean): Promise<Capabilities> {
  const available = (name: string) => own || caller.permits(CAPABILITIES.indexOf(name));
  const init = ["CAP_KILL"].filter(available);
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

async function seccomp(options: ContainerOptions, bounding: readonly string[]): Promise<SeccompSpec | undefined> {
  const { seccomp: given = "default" } = options;
  if (given === "none") return undefined;
  const init = INIT_FILTER[ARCH];
  const plain = !bounding.some((name) => FILTER_CAPABILITIES.includes(name));
  if (given === "default" && plain) return { filter: DEFAULT_FILTER[ARCH], init, flags: 0 };
  const { filterFor } = await import("./seccomp.ts");
  return { init, ...filterFor(given, bounding, options.say) };
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

/** Whether the kernel has it: the host's /proc and /sys are the same kernel's. */
const exists = (path: string): boolean => sys("faccessat2", AT_FDCWD, path, 0, 0) === 0;

type HiddenPaths = Pick<ContainerSpec, "maskedPaths" | "readonlyPaths">;

/** What is hidden and what is read-only in a root of the container's own. Throws UsageError for an --unmask that means nothing. */
export function hiddenPaths(options: ContainerOptions, ownRoot: boolean): HiddenPaths {
  const unmask = new Set((options.unmask ?? []).map((path) => (path === "/" ? path : path.replace(/\/+$/, ""))));
  if (!ownRoot || unmask.has("all") || unmask.has("ALL")) return { maskedPaths: [], readonlyPaths: [] };
  const known = [...MASKED.map(({ path }) => path), ...READ_ONLY];
  const stranger = [...unmask].find((path) => !known.includes(path));
  if (stranger !== undefined)
    throw new UsageError(`--unmask ${stranger}: not among what is hidden or read-only`, {
      hint: `known: ${known.join(" ")} all`,
    });
  return {
    maskedPaths: MASKED.filter(({ path }) => !unmask.has(path) && exists(path)),
    readonlyPaths: READ_ONLY.filter((path) => !unmask.has(path) && exists(path)),
  };
}
