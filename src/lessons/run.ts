/** Runs a lesson and judges it by what was observed. */
import type { Caller } from "../container/caller.ts";
import { cloneHint } from "../container/refusals.ts";
import { NsrunError, SyscallError } from "../errors.ts";
import { observe } from "../ffi/clone.ts";
import { CLONE } from "../ffi/flags.ts";
import { Lab, type Lesson } from "./lesson.ts";

export interface Result {
  readonly lesson: Lesson;
  readonly lab: Lab;
  /**
   * differs: an observation was not as predicted. partly, impossible: something cannot be shown here, and the lab says what.
   * failed: an error that is neither.
   */
  readonly status: "as predicted" | "differs" | "partly" | "impossible" | "failed";
  readonly error?: NsrunError;
}

/** What the kernel says where something is forbidden or missing, rather than wrong. */
const REFUSALS = ["EPERM", "EACCES", "ENOSPC", "ENOSYS", "EOPNOTSUPP", "ENODEV", "EUSERS"];

/** Why an ordinary user gets no namespaces here; undefined when he does. */
function refusal(caller: Caller): SyscallError | undefined {
  if (caller.admin) return undefined;
  try {
    observe(CLONE.CLONE_NEWUSER, []);
    return undefined;
  } catch (error) {
    if (error instanceof SyscallError) return error;
    throw error;
  }
}

const remedyFor = (error: SyscallError): string => error.hint ?? cloneHint(CLONE.CLONE_NEWUSER, error.code) ?? "run it as root";

/** Does what the lesson says. What the machine refuses is noted as missing. Throws what is no NsrunError. */
export async function runLesson(lesson: Lesson, caller: Caller, lab: Lab = new Lab(caller)): Promise<Result> {
  const no = lesson.needsNamespaces === false ? undefined : refusal(caller);
  if (no) lab.cannot("the whole lesson", `new namespaces are refused: ${no.message}`, remedyFor(no));
  else {
    try {
      await lesson.run(lab);
    } catch (error) {
      if (!(error instanceof NsrunError)) throw error;
      if (!(error instanceof SyscallError && REFUSALS.includes(error.code))) return { lesson, lab, status: "failed", error };
      lab.cannot(lab.proofs.length === 0 ? "the whole lesson" : "the rest", error.message, remedyFor(error));
    }
  }
  return { lesson, lab, status: statusOf(lab) };
}

function statusOf({ proofs, missing }: Lab): Result["status"] {
  if (proofs.some(({ ok }) => !ok)) return "differs";
  if (proofs.length === 0) return "impossible";
  return missing.length > 0 ? "partly" : "as predicted";
}
