/** A failed step in words: what was being done, the errno by name, and a hint where the errno misleads. */
import { type NsrunError, StepError, SyscallError } from "../errors.ts";
import { errnoName, errnoText } from "../ffi/errno.ts";
import type { Plan, SyscallStep } from "../plan/step.ts";
import { timeline } from "../plan/timeline.ts";

/** The error for `step` of `plan`, which failed with `errno` (0: the result was not what it had to be). */
export function stepError(plan: Plan, step: SyscallStep, errno: number): NsrunError {
  const all = timeline(plan);
  const place = { index: all.indexOf(step) + 1, total: all.length, label: step.label, lane: step.lane };
  const code = errno === 0 ? "short result" : errnoName(errno);
  const text = errno === 0 ? "the call did less than was asked" : errnoText(errno);
  return new StepError(place, errno, code, text, { failed: step });
}

const ENOENT = 2;
const ENOTDIR = 20;

/** The error of a command that could not be executed: 127 when it is nowhere, 126 when it is there but cannot run. */
export function execError(
  command: string,
  attempts: readonly { path: string; errno: number }[],
  why: string | undefined,
): NsrunError {
  const telling = attempts.find((a) => a.errno !== ENOENT && a.errno !== ENOTDIR) ?? attempts.at(-1)!;
  const missing = telling.errno === ENOENT || telling.errno === ENOTDIR;
  const doing = `cannot execute ${JSON.stringify(command)}`;
  return new SyscallError(doing, telling.errno, errnoName(telling.errno), errnoText(telling.errno), {
    hint:
      why ??
      (missing && attempts.length > 1 ? `looked in ${attempts.map((a) => a.path.replace(/\/[^/]*$/, "")).join(":")}` : undefined),
    exitCode: missing ? 127 : 126,
    failed: { call: "execve", args: [telling.path], label: doing },
  });
}
