/** Helper programs (newuidmap, newgidmap): started together, waited for, their words kept for an error of ours. */
import { elfImage } from "../ffi/image.ts";
import { native, PLAN_ADDRESS } from "../ffi/native.ts";
import { encode, type RawStep } from "../ffi/program.ts";
import { bytes, must, sys } from "../ffi/syscall.ts";
import { sealedFile, vexec } from "../ffi/vexec.ts";
import { strings } from "../plan/step.ts";

/** A program that runs; `output` is a memfd with all it says. */
interface Started {
  readonly name: string;
  readonly pid: number;
  readonly output: number;
}

/**
 * The trampoline puts the memfd in the place of stdout and stderr and executes: our own descriptors 1 and 2 are never touched
 * (Bun's other threads may write to them), and no environment is given to a setuid program.
 */
function steps(words: readonly string[], output: number): RawStep[] {
  const zeros = { bytes: new Uint8Array(32), text: "0" };
  return [
    { call: "reset_signals", args: [zeros] },
    { call: "rt_sigprocmask", args: [2 /* SIG_SETMASK */, zeros, 0, 8] },
    { call: "dup3", args: [output, 1, 0] },
    { call: "dup3", args: [output, 2, 0] },
    { call: "execve", args: [words[0]!, strings(words), strings([])] },
  ];
}

const nobody = (): never => {
  throw new TypeError("a program of the parent has no slots");
};

const F_DUPFD_CLOEXEC = 1030;

/** A file in memory, not among the standard streams even where those are closed. */
function outputFile(name: string): number {
  const low = must(`make a file for the output of ${name}`, "memfd_create", name, 1 /* MFD_CLOEXEC */);
  if (low > 2) return low;
  const fd = must(`make a file for the output of ${name}`, "fcntl", low, F_DUPFD_CLOEXEC, 3);
  sys("close", low);
  return fd;
}

function start(words: readonly string[]): Started {
  const name = words[0]!.slice(words[0]!.lastIndexOf("/") + 1);
  const output = outputFile(name);
  let file = -1;
  try {
    const segment = encode(steps(words, output), { address: PLAN_ADDRESS, socket: -1, slot: nobody });
    file = sealedFile(name, elfImage(native().code, segment));
    return { name, output, pid: vexec(file, [name], [output]) };
  } catch (error) {
    sys("close", output);
    throw error;
  } finally {
    if (file >= 0) sys("close", file);
  }
}

/** What the file holds, as one line. */
function said(output: number): string {
  const text = bytes(2000);
  sys("lseek", output, 0, 0);
  const length = Math.max(0, sys("read", output, text, text.length));
  return new TextDecoder().decode(text.subarray(0, length)).trim().split("\n").join("; ");
}

/** Waits, closes; undefined when it ended with 0, else its own words. */
function finish({ name, pid, output }: Started): string | undefined {
  const status = bytes(4);
  const result = sys("wait4", pid, status, 0, 0);
  const words = said(output);
  sys("close", output);
  const value = new DataView(status.buffer).getInt32(0, true);
  if (result === pid && value === 0) return undefined;
  const signal = value & 0x7f;
  return words || (signal ? `${name} was killed by signal ${signal}` : `${name} ended with code ${value >> 8}`);
}

/** Absolute path, then arguments, of each. Blocks until all have ended; what the first one that failed has said, or undefined. */
export function runTogether(commands: readonly (readonly string[])[]): string | undefined {
  const started: Started[] = [];
  const failures: (string | undefined)[] = [];
  try {
    for (const words of commands) started.push(start(words));
  } finally {
    failures.push(...started.map(finish));
  }
  return failures.find((words) => words !== undefined);
}
