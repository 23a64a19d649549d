/**
 * Fail closed, twice: a defence whose call said "done" is read back from the kernel before the command begins, and a difference
 * from the plan ends the start. The witnesses are files of /proc, getcwd(2) and PR_GET_SECCOMP, not the calls themselves.
 */
import { AT_FDCWD, O, PR } from "../ffi/flags.ts";
import { utf8 } from "../ffi/text.ts";
import { step } from "./list.ts";
import { privilegeLines } from "./security.ts";
import type { ContainerSpec, IdMap } from "./spec.ts";
import { REG, type SyscallStep, slot } from "./step.ts";

/** Every one of `lines` is a line of /proc/self/FILE: else EBADMSG. */
function says(file: string, lines: readonly string[]): SyscallStep[] {
  const path = `/proc/self/${file}`;
  const text = lines.map((line) => `${line}\n`).join("");
  const bytes = utf8(text);
  return [
    step("payload", `open ${file}`, "openat", [AT_FDCWD, path, O.O_RDONLY | O.O_CLOEXEC, 0], { store: true }),
    step("payload", `make sure of ${file}`, "says", [REG, { bytes, text: JSON.stringify(text) }, bytes.length]),
    step("payload", `close ${file}`, "close", [REG]),
  ];
}

/** A line of uid_map or gid_map as the kernel prints it: user_namespaces(7). */
const mapLine = (map: IdMap): string => [map.containerId, map.hostId, map.size].map((n) => String(n).padStart(10)).join(" ");

/** The new root is the root directory: standing in what the descriptor "root" means, getcwd(2) says "/". */
export const verifyRoot = (): SyscallStep[] => [
  step("container", "stand in the new root", "fchdir", [slot("root")]),
  step("container", "make sure that it is the root directory", "at_root", [], {
    why: "had the roots not been swapped, the command would run in the host's tree",
  }),
];

/** Ids, capabilities and no_new_privs of the command, when the last of them is set; /proc is still to be reached. */
export function verifyPrivileges({ root, process, idMaps }: ContainerSpec): SyscallStep[] {
  if (!root) return []; // whose /proc there is, if any, is not known
  const ids = [`Uid:${`\t${process.uid}`.repeat(4)}`, `Gid:${`\t${process.gid}`.repeat(4)}`];
  return [
    ...(idMaps ? [...says("uid_map", idMaps.uid.map(mapLine)), ...says("gid_map", idMaps.gid.map(mapLine))] : []),
    ...says("status", [...ids, ...privilegeLines(process)]),
  ];
}

const SECCOMP_MODE_FILTER = 2;

/** The filter is there. Asked for one of ours only: a profile may forbid even the question. */
export const verifyFilter = ({ process }: ContainerSpec): SyscallStep[] =>
  process.seccomp?.own
    ? [
        // the third argument is nothing to the kernel, but is what an exact result is compared with
        step("payload", "make sure that there is a filter", "prctl", [PR.PR_GET_SECCOMP, 0, SECCOMP_MODE_FILTER, 0, 0], {
          exact: true,
        }),
      ]
    : [];
