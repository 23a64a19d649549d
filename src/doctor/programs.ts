/** Programs of the machine, run in throw-away namespaces: the first of several that is there. */
import { AT_FDCWD } from "../ffi/flags.ts";
import { bytes, must, sys } from "../ffi/syscall.ts";
import { strings } from "../plan/step.ts";
import { begin, type Call, call, finish, room } from "./child.ts";
import { findingOf, type Host, looked, type Probe } from "./probe.ts";

export interface Program {
  readonly name: string;
  readonly args: readonly string[];
}

const PLACES = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];
const X_OK = 1;

/** PATH, and where the administrator's programs are though an ordinary user's PATH has not got it. */
export function findInPath(name: string, path = process.env.PATH ?? ""): string | undefined {
  const directories = [...path.split(":").filter((dir) => dir.startsWith("/")), ...PLACES];
  return directories.map((dir) => `${dir}/${name}`).find((file) => sys("faccessat2", AT_FDCWD, file, X_OK, 0) === 0);
}

/** Its last words, from a file in memory. */
function said(fd: number): string {
  const text = bytes(2000);
  sys("lseek", fd, 0, 0);
  const length = Math.max(0, sys("read", fd, text, text.length));
  return new TextDecoder().decode(text.subarray(0, length)).trim().split("\n").at(-1) ?? "";
}

/** `before`, then the program with no input and its output in `output`. */
const running = (before: readonly Call[], file: string, args: readonly string[], output: number): Call[] => [
  ...before,
  call("unblock signals", "rt_sigprocmask", [2 /* SIG_SETMASK */, room(8), 0, 8]),
  call("close the socket at exec", "fcntl", [{ slot: "sock" }, 2, 1]),
  call("no input", "openat", [AT_FDCWD, "/dev/null", 0, 0], { store: true }),
  call("no input", "dup3", [{ reg: true }, 0, 0]),
  call("output", "dup3", [output, 1, 0]),
  call("errors", "dup3", [output, 2, 0]),
  call(`execute ${file}`, "execve", [file, strings([file, ...args]), strings(["PATH=/usr/sbin:/usr/bin:/sbin:/bin"])]),
];

/** Runs the first of `programs` that is installed after `before`; works when it ends with 0. */
export const programProbe =
  (programs: readonly Program[], before: (host: Host) => readonly Call[]): Probe["attempt"] =>
  (host) => {
    const found = programs.map(({ name, args }) => ({ name, args, file: findInPath(name) })).find(({ file }) => file);
    if (!found?.file)
      return looked({ works: false, detail: `neither ${programs.map(({ name }) => name).join(" nor ")} is installed` });
    const output = must("make a file for the program's words", "memfd_create", "nsrun-doctor", 1);
    const child = begin(running(before(host), found.file, found.args, output), [output]);
    return () => {
      const ended = finish(child);
      const words = said(output);
      sys("close", output);
      if (ended.failed || ended.late) return findingOf(ended);
      return ended.status === 0 ? { works: true, detail: found.name } : { works: false, detail: `${found.name}: ${words}` };
    };
  };
