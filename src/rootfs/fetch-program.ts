/** A program of the package manager's: what it says is passed on, and it does not outlive us. */
import { sys } from "../ffi/syscall.ts";
import { atExit } from "./at-exit.ts";
import { showText } from "./names.ts";

/** Milliseconds for who was asked to end, and may have a lock to give back. */
const GRACE = 1000;
const WNOHANG = 1;

/**
 * In front of a command: when we are killed, even by SIGKILL, the kernel ends it (prctl(2), PR_SET_PDEATHSIG; what it has started
 * itself sees its end). Nothing where setpriv(1) is missing or is busybox's, which has no such option.
 */
function guard(): string[] {
  const setpriv = Bun.which("setpriv", { PATH: process.env.PATH ?? "" });
  if (!setpriv) return [];
  const words = [setpriv, "--pdeathsig", "TERM"];
  const tried = Bun.spawnSync([...words, setpriv, "--version"], { stdout: "ignore", stderr: "ignore" });
  return tried.exitCode === 0 ? words : [];
}

/** Each line of `stream`; of one that was written over (`\r`) what stands there last. */
async function lines(stream: ReadableStream<Uint8Array>, say: (line: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const all = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = all.pop()?.slice(-4096) ?? "";
    for (const line of all) say(line);
  }
  say(rest);
}

/**
 * Runs `argv` in `cwd`. Its output goes to the file `output`, or line by line to that function. It is ended, with its process
 * group, when `signal` fires or we exit. Throws an Error with its own reason, in one line, when it fails.
 */
export async function runProgram(
  argv: readonly string[],
  cwd: string,
  output: string | ((line: string) => void),
  signal: AbortSignal | undefined,
): Promise<void> {
  signal?.throwIfAborted();
  const child = Bun.spawn([...guard(), ...argv], {
    cwd,
    detached: true, // a process group of its own
    stdin: "ignore",
    stdout: typeof output === "string" ? Bun.file(output) : "pipe",
    stderr: "pipe",
    env: { ...process.env, LC_ALL: "C" },
  });
  const say = (line: string) => {
    const text = line.trimEnd().split("\r").at(-1) ?? "";
    if (typeof output === "function" && text.trim() !== "") output(`${argv[0]}: ${showText(text)}`);
  };
  const kill = (number: number) => sys("kill", -child.pid, number);
  using _end = atExit(() => {
    kill(15);
    const end = performance.now() + GRACE;
    while (sys("wait4", child.pid, null, WNOHANG, 0) === 0 && performance.now() < end) Bun.sleepSync(5);
    kill(9);
  });
  let grace: NodeJS.Timeout | undefined;
  const abort = () => {
    kill(15);
    grace = setTimeout(() => kill(9), GRACE);
  };
  signal?.addEventListener("abort", abort, { once: true });
  try {
    const words = new Response(child.stderr).text();
    const told = child.stdout instanceof ReadableStream ? lines(child.stdout, say) : undefined;
    const status = await child.exited;
    signal?.throwIfAborted();
    await told;
    if (status !== 0) throw new Error(`${argv[0]}: ${showText(reasonOf(await words, status))}`);
  } finally {
    clearTimeout(grace);
    signal?.removeEventListener("abort", abort);
  }
}

/** What a failed program has said of the reason: its first line that calls itself an error, else its last. */
function reasonOf(words: string, status: number): string {
  const said = words.split("\n").filter((line) => line.trim() !== "");
  const reason = said.find((line) => /^E:|error/i.test(line)) ?? said.at(-1) ?? `status ${status}`;
  return reason.replace(/^E:\s*/, "");
}
