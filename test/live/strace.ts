/** strace(1) as a witness: every system call of a program and its children, in order, each with its arguments. */
import { readFileSync } from "node:fs";
import { CHECKOUT, type Temporary } from "./helpers.ts";

export interface Call {
  readonly name: string;
  readonly args: readonly string[];
  /** What is behind the `=`: "0", "-1 ENOENT (…)", "?" of a call that never returned. */
  readonly result: string;
}

export interface Trace {
  /** pid of the first process. */
  readonly first: number;
  /** By pid, as the tracer sees it, in the order of their first calls. */
  readonly calls: ReadonlyMap<number, readonly Call[]>;
  readonly code: number;
}

/** Splits at the commas that are in no bracket and no string. */
export function splitArguments(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let quoted = false;
  let part = "";
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!;
    if (quoted && char === "\\") {
      part += char + text[++i];
      continue;
    }
    if (char === '"') quoted = !quoted;
    if (!quoted && "([{".includes(char)) depth++;
    if (!quoted && ")]}".includes(char)) depth--;
    if (!quoted && depth === 0 && char === ",") {
      parts.push(part.trim());
      part = "";
    } else part += char;
  }
  return part.trim() === "" && parts.length === 0 ? [] : [...parts, part.trim()];
}

/** One whole line behind its pid; undefined for signals and exits. */
function parseCall(line: string): Call | undefined {
  const [, name, args, result] = /^(\w+)\((.*)\)\s+= (.*)$/s.exec(line) ?? [];
  return name === undefined ? undefined : { name, args: splitArguments(args!), result: result! };
}

function parse(text: string): Pick<Trace, "first" | "calls"> {
  const calls = new Map<number, Call[]>();
  const unfinished = new Map<number, string>();
  let first = 0;
  for (const line of text.split("\n")) {
    const [, number, rest] = /^(\d+) +(.*)$/.exec(line) ?? [];
    if (rest === undefined) continue;
    const pid = Number(number);
    first ||= pid;
    if (!calls.has(pid)) calls.set(pid, []);
    if (rest.endsWith(" <unfinished ...>")) {
      unfinished.set(pid, rest.slice(0, -" <unfinished ...>".length));
      continue;
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest)?.[1];
    const call = parseCall(resumed === undefined ? rest : (unfinished.get(pid) ?? "") + resumed);
    if (call) calls.get(pid)!.push(call);
  }
  return { first, calls };
}

/** Runs `argv` to its end under strace -f. Strings, and what the calls of a container pass, are not cut short. */
export async function strace(argv: readonly string[], dir: Temporary, env: Record<string, string> = {}): Promise<Trace> {
  const file = dir.file("strace");
  const unabbreviated = "abbrev=!execve,execveat,sendto,sendmsg,recvmsg,prlimit64,seccomp";
  const child = Bun.spawn(["strace", "-f", "-s", "8192", "-e", unabbreviated, "-o", file, ...argv], {
    cwd: CHECKOUT,
    env: { ...process.env, NO_COLOR: "1", ...env },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  const [stderr, code] = await Promise.all([child.stderr.text(), child.exited]);
  if (code !== 0) throw new Error(`exit ${code}: ${stderr}`);
  return { ...parse(readFileSync(file, "utf8")), code };
}
