/**
 * Fail closed, twice: a defence whose call said "done" is read back from the kernel before the command begins, and a difference
 * from the plan ends the start. The witnesses are files of a procfs, getcwd(2) and PR_GET_SECCOMP, not the calls themselves.
 *
 * The procfs is a descriptor: the container's own, from before anything could be mounted on it; without a root of its own the
 * one at the caller's /proc. What lies at /proc for the command (a volume, a tmpfs) is never asked.
 */
import { AT_FDCWD, O, PR, RESOLVE } from "../ffi/flags.ts";
import { utf8 } from "../ffi/text.ts";
import { openHow, step } from "./list.ts";
import { privilegeLines } from "./security.ts";
import type { ContainerSpec, IdMap } from "./spec.ts";
import { REG, type SyscallStep, slot } from "./step.ts";

/** Beside the socket, so that all other descriptors are two ranges. */
const KEPT = slot("sock+1");

/** The caller's procfs, for a command whose root is not made here. */
export const callersProc = (): SyscallStep =>
  step("parent", "open /proc", "openat", [AT_FDCWD, "/proc", O.O_PATH | O.O_DIRECTORY | O.O_CLOEXEC, 0], {
    store: "proc",
    why: "by which the command's ids and capabilities are read back",
  });

const EINVAL = 22;

/** Out of the way of close_range(2), until the exec closes it. */
export const keepProc = (): SyscallStep =>
  step("payload", "keep the procfs beside the socket", "dup3", [slot("proc"), KEPT, O.O_CLOEXEC], {
    tolerate: EINVAL, // it is there already
    why: "ids, capabilities and descriptors are read back by it",
  });

/** A file of the command's own process; nothing that is mounted in the procfs is entered. */
function openOwn(file: string): SyscallStep {
  const how = openHow(O.O_RDONLY | O.O_CLOEXEC, RESOLVE.RESOLVE_NO_XDEV | RESOLVE.RESOLVE_NO_MAGICLINKS);
  return step("payload", `open ${file}`, "openat2", [KEPT, `self/${file}`, how, 24], { store: true });
}

/** `lines`, in the file's order, are lines of it: else EBADMSG. Of status the result is how far descriptors may go. */
function says(file: string, lines: readonly string[], fd: typeof REG | typeof KEPT = REG, extra = {}): SyscallStep {
  const text = lines.map((line) => `${line}\n`).join("");
  const bytes = utf8(text);
  return step("payload", `make sure of ${file}`, "says", [fd, { bytes, text: JSON.stringify(text) }, bytes.length], extra);
}

/** More than five lines (UID_GID_MAP_MAX_BASE_EXTENTS) the kernel sorts. */
const printed = (map: readonly IdMap[]): readonly IdMap[] =>
  map.length > 5 ? [...map].sort((a, b) => a.containerId - b.containerId) : map;

const mapSays = (file: string, map: readonly IdMap[]): SyscallStep[] => [
  openOwn(file),
  says(file, printed(map).map(mapLine)),
  step("payload", `close ${file}`, "close", [REG]),
];

/** A line of uid_map or gid_map as the kernel prints it: user_namespaces(7). */
const mapLine = (map: IdMap): string => [map.containerId, map.hostId, map.size].map((n) => String(n).padStart(10)).join(" ");

/** The new root is the root directory: standing in what the descriptor "root" means, getcwd(2) says "/". */
export const verifyRoot = (): SyscallStep[] => [
  step("container", "stand in the new root", "fchdir", [slot("root")]),
  step("container", "make sure that it is the root directory", "at_root", [], {
    why: "had the roots not been swapped, the command would run in the host's tree",
  }),
];

/** The kernel's list is in order, and has a blank behind each. */
const groupsLine = (groups: readonly number[]): string => `Groups:\t${[...groups].sort((a, b) => a - b).join(" ")} `;

/** Whether the filters are counted, since under a caller's there is one in any case. */
const isCounted = ({ seccomp }: ContainerSpec["process"]): boolean => seccomp?.own === true && seccomp.outer !== undefined;

/** Ids, groups, capabilities, no_new_privs and descriptors of the command, when the last of them is set. */
export function verifyPrivileges({ process, idMaps }: ContainerSpec): SyscallStep[] {
  const ids = [`Uid:${`\t${process.uid}`.repeat(4)}`, `Gid:${`\t${process.gid}`.repeat(4)}`];
  const groups = process.setgroups ? [groupsLine(process.groups)] : []; // else they are the caller's
  const keep = step("payload", "keep it by number", "dup3", [REG, KEPT, O.O_CLOEXEC], {
    why: "the filters are counted by it, when Landlock lets nobody open it any more",
  });
  return [
    ...(idMaps ? [...mapSays("uid_map", idMaps.uid), ...mapSays("gid_map", idMaps.gid)] : []),
    openOwn("status"),
    ...(isCounted(process) ? [keep] : []),
    says("status", [...ids, ...groups, ...privilegeLines(process)], REG, { store: true }),
    step("payload", "make sure that only the standard streams are left to the command", "descriptors", [REG]),
  ];
}

const SECCOMP_MODE_FILTER = 2;

/** The filter is there. Asked for one of ours only: a profile may forbid even the question. */
export function verifyFilter({ process }: ContainerSpec): SyscallStep[] {
  const { seccomp } = process;
  if (!seccomp?.own) return [];
  if (isCounted(process)) return [says("status", [`Seccomp_filters:\t${seccomp.outer! + 1}`], KEPT)];
  return [
    // the third argument is nothing to the kernel, but is what an exact result is compared with
    step("payload", "make sure that there is a filter", "prctl", [PR.PR_GET_SECCOMP, 0, SECCOMP_MODE_FILTER, 0, 0], {
      exact: true,
    }),
  ];
}
