/** An error for the user: its lines, or one line of JSON (docs/errors.md). Loaded when there is one. */
import { explained } from "../container/explained.ts";
import { errorLines, type FailedCall, NsrunError, StepError, SyscallError } from "../errors.ts";

/** What `--errors=json` prints. Fields are never missing; what there is not is null. */
export interface ErrorReport {
  readonly version: 1;
  /** The first line without `nsrun: `. */
  readonly message: string;
  readonly hint: string | null;
  /** 125 nsrun failed, 126 the command cannot be executed, 127 it is not there. */
  readonly exitCode: number;
  /** Who is to blame: the caller's words, a call that the system refused, nsrun itself. */
  readonly kind: "usage" | "system" | "failure" | "internal";
  /** Of the plan, where one of its steps failed. */
  readonly step: { readonly index: number; readonly total: number; readonly lane: string; readonly label: string } | null;
  readonly call: { readonly name: string; readonly args: readonly (string | number | null)[] } | null;
  readonly errno: number | null;
  /** The errno's name: `EPERM`. */
  readonly code: string | null;
}

/** An argument as a plan shows it: memory by its text, slots and the register in angle brackets. */
function argument(arg: unknown): string | number | null {
  if (typeof arg === "string" || typeof arg === "number" || arg === null) return arg;
  if (typeof arg === "bigint") return Number(arg);
  const { slot, reg, template, text } = arg as { slot?: string; reg?: true; template?: readonly unknown[]; text?: string };
  if (slot !== undefined) return `<${slot}>`;
  if (reg) return "<result>";
  return template ? template.map(argument).join("") : (text ?? "memory");
}

const callOf = ({ call, args }: FailedCall): ErrorReport["call"] => ({ name: call, args: args.map(argument) });

function kindOf(error: unknown): ErrorReport["kind"] {
  if (!(error instanceof NsrunError)) return "internal";
  if (error instanceof SyscallError) return "system";
  return error.name === "UsageError" ? "usage" : "failure";
}

export function errorReport(error: unknown): ErrorReport {
  const system = error instanceof SyscallError ? error : undefined;
  const known = error instanceof NsrunError ? error : undefined;
  return {
    version: 1,
    message: error instanceof Error ? error.message : String(error),
    hint: known?.hint ?? null,
    exitCode: known?.exitCode ?? 125,
    kind: kindOf(error),
    step: error instanceof StepError ? error.place : null,
    call: system?.failed ? callOf(system.failed) : null,
    errno: system?.errno ?? null,
    code: system?.code ?? null,
  };
}

/** The lines for stderr. */
export async function report(error: unknown, json: boolean): Promise<string[]> {
  await explained(error);
  return json ? [JSON.stringify(errorReport(error))] : errorLines(error, process.env.NSRUN_DEBUG === "1");
}
