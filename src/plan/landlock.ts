/**
 * The command restricts itself: landlock(7). Paths are opened by the command's own process, in its root, when everything
 * else is done; what it opened before (its streams) stays open to it.
 */
import { AT_FDCWD, O, RESOLVE } from "../ffi/flags.ts";
import { openHow, placeholder, step } from "./list.ts";
import type { ContainerSpec, LandlockSpec, ProcessSpec } from "./spec.ts";
import { REG, type SyscallStep, slot, type Words } from "./step.ts";

const PATH_BENEATH = 1; // LANDLOCK_RULE_PATH_BENEATH
const NET_PORT = 2; // LANDLOCK_RULE_NET_PORT
const EINVAL = 22;

/** Numbers for the ruleset and for one path after the other. */
export const landlockPrepare = ({ process }: Pick<ContainerSpec, "process">): SyscallStep[] =>
  process.landlock ? [placeholder("landlock"), placeholder("landlock.path")] : [];

const addRule = (label: string, type: number, attr: Words, extra = {}): SyscallStep =>
  step("payload", label, "landlock_add_rule", [slot("landlock"), type, attr, 0], extra);

/** struct landlock_path_beneath_attr {allowed_access, parent_fd}, which is packed: the second word's upper half is not read. */
function pathSteps({ path, access, onFile, text }: LandlockSpec["paths"][number]): SyscallStep[] {
  const attr = (mask: number): Words => ({
    words: [mask, slot("landlock.path")],
    text: "{access, <landlock.path>}",
  });
  const allow = (mask: number, what: string, extra = {}) => addRule(`allow ${what} ${path}`, PATH_BENEATH, attr(mask), extra);
  const rule =
    access === onFile || onFile === 0
      ? [allow(access, `${text} of`)]
      : [
          allow(access, `${text} below`, { tolerate: EINVAL, why: "refused for a file, which has no rights of directories" }),
          allow(onFile, "what a file can have of it, of"),
        ];
  return [
    step(
      "payload",
      `find ${path} for Landlock`,
      "openat2",
      [AT_FDCWD, path, openHow(O.O_PATH | O.O_CLOEXEC, RESOLVE.RESOLVE_NO_MAGICLINKS), 24],
      { store: true, why: "in the container's root, and never through a descriptor of /proc" },
    ),
    step("payload", "keep it by number", "dup3", [REG, slot("landlock.path"), O.O_CLOEXEC]),
    ...rule,
  ];
}

/** What the masks are called is written by who shows them: structs.ts. Right before the filter and execve, after no_new_privs: nothing of ours needs a path after that. */
export function landlockSteps({ landlock }: ProcessSpec): SyscallStep[] {
  if (!landlock) return [];
  const { fs, net, scoped, paths, ports } = landlock;
  const attr = { words: [fs, net, scoped], text: "{fs, net, scoped}" };
  return [
    step("payload", "a Landlock ruleset", "landlock_create_ruleset", [attr, 24, 0], { store: true }),
    step("payload", "keep it by number", "dup3", [REG, slot("landlock"), O.O_CLOEXEC]),
    ...paths.flatMap(pathSteps),
    ...ports.map(({ port, access, text }) =>
      addRule(`allow ${text} to TCP port ${port}`, NET_PORT, { words: [access, port], text: "{access, port}" }),
    ),
    step("payload", "enter the Landlock domain", "landlock_restrict_self", [slot("landlock"), 0]),
  ];
}
