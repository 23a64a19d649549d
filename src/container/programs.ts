/** Programs that the parent runs for a container, at the same time; what they complain about becomes the error. */
import { NsrunError } from "../errors.ts";
import { argv, clone } from "../ffi/clone.ts";
import { bytes, must, sys } from "../ffi/syscall.ts";
import type { ProgramStep } from "../plan/step.ts";
import type { Slots } from "./slots.ts";

const SAID = 2000;

interface Started {
  readonly pid: number;
  readonly said: number;
  readonly name: string;
}

/** stdin /dev/null, stdout and stderr a file in memory; no environment but PATH: set-uid programs trust none anyway. */
function start(program: ProgramStep["programs"][number], slots: Slots): Started {
  const args = program.args.map((arg) => (typeof arg === "string" ? arg : String(slots.get(arg.slot))));
  const said = must("make a file for a program's words", "memfd_create", "nsrun-said", 1 /* MFD_CLOEXEC */);
  const pid = clone(
    0,
    [
      ["dup3", said, 1, 0],
      ["dup3", said, 2, 0],
      ["close", 0],
      ["openat", -100, "/dev/null", 0, 0],
      ["execve", program.path, argv(args), argv(["PATH=/usr/sbin:/usr/bin:/sbin:/bin"])],
    ],
    [said],
  );
  return { pid, said, name: args[0] ?? program.path };
}

function words(fd: number): string {
  const text = bytes(SAID);
  const length = sys("pread64", fd, text, SAID, 0);
  return (
    new TextDecoder()
      .decode(text.subarray(0, Math.max(0, length)))
      .trim()
      .split("\n")[0] ?? ""
  );
}

/** Blocks until all have ended (a millisecond). Throws NsrunError with the words of the first that failed. */
export function runPrograms(step: ProgramStep, slots: Slots): void {
  const started: Started[] = [];
  let error: NsrunError | undefined;
  try {
    for (const program of step.programs) started.push(start(program, slots));
  } finally {
    for (const { pid, said, name } of started) {
      const status = bytes(4);
      sys("wait4", pid, status, 0, null);
      const code = new DataView(status.buffer).getInt32(0, true);
      if (code !== 0) error ??= new NsrunError(`${step.label}: ${words(said) || `${name} failed (wait status ${code})`}`);
      sys("close", said);
    }
  }
  if (error) throw error;
}
