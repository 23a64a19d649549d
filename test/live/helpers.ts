/** What the live tests share: starting nsrun from outside, witnesses other than nsrun, and temporary places that go away. */
import { test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { chmod, copyFile, mkdir, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NAMESPACES, type Namespace } from "../../src/index.ts";

export const CHECKOUT = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");
export const MAIN = join(CHECKOUT, "src/cmd/main.ts");
/** An executable to test instead of the sources, such as dist/nsrun: `NSRUN_TEST_PROGRAM=/path npm test`. */
export const PROGRAM = process.env.NSRUN_TEST_PROGRAM;
export const COMPILED = PROGRAM ?? join(CHECKOUT, "dist/nsrun");
/** Bun as nsrun's first line starts it: what lies in the working directory configures nothing. */
export const BUN: readonly string[] = [process.execPath, "--config=/dev/null", "--no-env-file"];
/** The command line that starts nsrun: from its sources, or the executable that was asked for. */
export const NSRUN: readonly string[] = PROGRAM === undefined ? [...BUN, MAIN] : [PROGRAM];

export const isRoot = process.getuid?.() === 0;

export function works(...argv: string[]): boolean {
  if (!Bun.which(argv[0]!)) return false;
  return Bun.spawnSync(argv, { stdout: "ignore", stderr: "ignore" }).exitCode === 0;
}

/** The reason of the first requirement that is not met; printed once, for describe.skipIf. */
export function skipReason(what: string, needs: readonly (readonly [boolean, string])[]): string | undefined {
  const reason = needs.find(([met]) => !met)?.[1];
  if (reason !== undefined) console.log(`skip: ${what}: ${reason}`);
  return reason;
}

export const needsRoot = [isRoot, "not root"] as const;
/** As root, or in a user namespace: the suite runs as both (test/run.sh). */
export const canRun = [isRoot || works("unshare", "-Ur", "true"), "neither root nor user namespaces"] as const;
/** A test of what only real root can do, and why nobody else can: printed where it is skipped. */
export function asRoot(why: string) {
  return (name: string, body: () => unknown, ms?: number): void => {
    if (!isRoot) console.log(`skip: ${name}: ${why}`);
    test.skipIf(!isRoot)(name, body as () => Promise<void>, ms);
  };
}
export const VETH = "a veth pair into the machine's own network needs root";
/** In front of a command that mounts, or makes links: namespaces in which an ordinary user may, as root of a user namespace. */
export const OWN_MOUNTS: readonly string[] = isRoot ? ["unshare", "-m"] : ["unshare", "-Urm"];
export const OWN_NET: readonly string[] = isRoot ? ["unshare", "-n"] : ["unshare", "-Urn"];
/** nsenter's options besides those for the namespaces that are entered. */
export const ENTER_USER: readonly string[] = isRoot ? [] : ["-U", "--preserve-credentials"];
/** How many times longer a machine may take than is usual: an emulated one some ten. */
export const PATIENCE = Number(process.env.NSRUN_TEST_PATIENCE ?? 1);
/** The maps of a user who has no ids but his own, whatever /etc/subuid grants. */
export const SINGLE_ID = ["--uid-map", `0:${process.getuid!()}`, "--gid-map", `0:${process.getgid!()}`] as const;
/** What `--userns host` says on stderr. */
export const HOST_SAID = "nsrun: --userns host: root inside is root outside\n";
/** What root is told of the same by `--share user`, by a joined pid or mount namespace, and by a map with the host's root in it. */
export const SHARED_SAID = "nsrun: --share user: root inside is root outside\n";
export const ENTERED_SAID = "nsrun: with a joined pid or mnt namespace there is no user namespace: root inside is root outside\n";
export const MAPPED_SAID = "nsrun: among the ids inside: the host's uid 0 and gid 0\n";

/** Which of them these options have said. */
export function outsideSaid(options: readonly string[]): string {
  const after = (name: string) => options.filter((_, i) => options[i - 1] === name).join();
  if (after("--userns") === "host") return HOST_SAID;
  if (!isRoot) return "";
  if (after("--share").includes("user")) return SHARED_SAID;
  if (/(pid|mnt)=/.test(after("--join")) && !after("--join").includes("user=")) return ENTERED_SAID;
  return after("--uid-map").startsWith("0:0") ? MAPPED_SAID : "";
}
/** Options for a traced nsrun: a newuidmap under strace is not set-uid, so the own id alone. */
export const TRACED: readonly string[] = isRoot ? [] : SINGLE_ID;
/** The namespaces that a container has of its own by default. */
export const OWN: readonly Namespace[] = ["pid", "net", "mnt", "uts", "ipc", "cgroup", "user"];

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface SpawnOptions {
  readonly env?: Record<string, string>;
  readonly cwd?: string;
  readonly stdin?: string | Uint8Array<ArrayBuffer>;
}

/** Runs any program to its end, with the caller's environment and NO_COLOR. */
export async function shell(argv: readonly string[], options: SpawnOptions = {}): Promise<Outcome> {
  const child = Bun.spawn([...argv], {
    env: { ...process.env, NO_COLOR: "1", ...options.env },
    cwd: options.cwd ?? CHECKOUT,
    stdin:
      options.stdin === undefined ? "ignore" : typeof options.stdin === "string" ? Buffer.from(options.stdin) : options.stdin,
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { code, stdout, stderr };
}

/** `nsrun run ARGS`, to its end. */
export const nsrun = (args: readonly string[], options: SpawnOptions = {}): Promise<Outcome> =>
  shell([...NSRUN, "run", ...args], options);

/** What a script printed inside, with everything else as it should be. Throws with nsrun's words otherwise. */
export async function inside(options: readonly string[], script: string, more: SpawnOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await nsrun([...options, "--", "sh", "-c", script], more);
  if (code !== 0 || stderr !== outsideSaid(options)) throw new Error(`exit ${code}: ${stderr}${stdout}`);
  return stdout.replace(/\n$/, "");
}

/** A directory that goes away with its block. */
export interface Temporary extends Disposable {
  readonly path: string;
  file(name: string): string;
}

export function temporary(): Temporary {
  const path = mkdtempSync(join(tmpdir(), "nsrun-test-"));
  return { path, file: (name) => join(path, name), [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

const APPLETS = ["sh", "ls", "cat", "mount", "touch", "mkdir", "echo", "readlink", "id", "stat", "grep", "sleep", "true"];

/** A small root of busybox and links to it, at `dir`. */
export async function smallRoot(dir: string): Promise<string> {
  await mkdir(join(dir, "bin"), { recursive: true });
  await mkdir(join(dir, "etc"));
  await copyFile(Bun.which("busybox")!, join(dir, "bin/busybox"));
  await chmod(join(dir, "bin/busybox"), 0o755);
  for (const name of APPLETS) await symlink("busybox", join(dir, "bin", name));
  return dir;
}

/** In front of a command: as an ordinary user, if we are not one. */
export const NOBODY: readonly string[] = isRoot ? ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"] : [];

/** The checkout may lie where only root can look (a temporary clone): an ordinary user gets a copy, and its command line. */
export async function copyOfNsrun(home: Temporary): Promise<string[]> {
  const copy = `mkdir nsrun && cd nsrun && cp "$1" bun && cp -r "$2/src" "$2/package.json" . && mkdir node_modules &&
    cp -r "$2/node_modules/commander" "$2/node_modules/picocolors" node_modules/ && cp "$3" program && chmod -R go+rX .`;
  const words = ["copy", process.execPath, CHECKOUT, PROGRAM ?? "/dev/null"];
  const { code, stderr } = await shell(["sh", "-c", `umask 022; cd ${home.path} && ${copy}`, ...words]);
  if (code !== 0) throw new Error(stderr);
  if (PROGRAM !== undefined) return [home.file("nsrun/program")];
  return [home.file("nsrun/bun"), ...BUN.slice(1), home.file("nsrun/src/cmd/main.ts")];
}

/** Looks until `find` gives something; polls a state of the kernel that cannot be waited for. Throws after `ms`. */
export async function eventually<T>(what: string, find: () => T | undefined | false, ms = 5000): Promise<T> {
  const end = performance.now() + ms;
  for (;;) {
    const found = find();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > end) throw new Error(`still not after ${ms} ms: ${what}`);
    await Bun.sleep(5);
  }
}

/** All arguments of every process: pid → argv joined by blanks. */
export function processes(): Map<number, string> {
  const all = new Map<number, string>();
  for (const name of readdirSync("/proc")) {
    if (!/^[0-9]+$/.test(name)) continue;
    try {
      all.set(Number(name), readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ").trim());
    } catch {
      // it has ended meanwhile
    }
  }
  return all;
}

/** 0 when it has ended. */
export function parentOf(pid: number): number {
  try {
    return Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

/** Processes whose arguments hold `marker`; zombies have no arguments. */
export const marked = (marker: string): number[] =>
  [...processes()].filter(([, argv]) => argv.includes(marker)).map(([pid]) => pid);

/** Namespace → inode of a process, as /proc shows it to the host. */
export function namespacesOf(pid: number | "self"): Record<string, string> {
  return Object.fromEntries(NAMESPACES.map((ns) => [ns, readlinkSync(`/proc/${pid}/ns/${ns}`)]));
}

/** A running `nsrun run OPTIONS -- sh -c SCRIPT` whose script has printed "ready"; ended with its block. */
export interface Held extends AsyncDisposable {
  readonly child: Bun.Subprocess<"pipe", "pipe", "pipe">;
  /** As the host sees the command. */
  readonly pid: number;
  /** What it printed after "ready", and how it ended. */
  finished(): Promise<Outcome>;
}

let counter = 0;

/** A string that no other process has among its arguments. */
export const marker = (): string => `mark-${process.pid}-${++counter}`;

type Reader = { read(): Promise<{ done: boolean; value?: Uint8Array | undefined }> };

/** Reads from `reader` until `text` has come. Throws when the stream ends first. */
export async function until(reader: Reader, text: string): Promise<string> {
  let seen = "";
  while (!seen.includes(text)) {
    const { done, value } = await reader.read();
    if (done || !value) throw new Error(`ended before it was ready: ${seen}`);
    seen += new TextDecoder().decode(value);
  }
  return seen.slice(seen.indexOf(text) + text.length);
}

/** `script` must print "ready" and a newline. Its shell's $0 is a marker by which the host finds it. */
export async function hold(options: readonly string[], script: string, program: readonly string[] = NSRUN): Promise<Held> {
  const mark = marker();
  const child = Bun.spawn([...program, "run", ...options, "--", "sh", "-c", script, mark], {
    cwd: CHECKOUT,
    env: { ...process.env, NO_COLOR: "1" },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
  });
  const stderr = child.stderr.text();
  const reader = child.stdout.getReader();
  let rest = await until(reader, "ready\n").catch(async (error) => {
    throw new Error(`${String(error)} ${await stderr}`);
  });
  const pid = marked(mark).find((one) => one !== child.pid && !processes().get(one)?.includes(MAIN) && one !== 0);
  if (pid === undefined) throw new Error("the command is not to be seen in /proc");
  return {
    child,
    pid,
    async finished() {
      for (let part = await reader.read(); !part.done; part = await reader.read()) rest += new TextDecoder().decode(part.value);
      return { stdout: rest, stderr: await stderr, code: await child.exited };
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
      await eventually(`the end of ${mark}`, () => marked(mark).length === 0);
    },
  };
}

/** A script that is ready at once and ends when its stdin does. */
export const WAIT = "echo ready; read _ || :";

const lines = async (...argv: string[]) => (await shell(argv)).stdout.split("\n").sort();

/** What must be the same after a run: links, mounts, cgroups, /run, /tmp, and the processes named `mark`. */
export const snapshot = async (mark = "nsrun-of-nobody") => ({
  links: (await lines("ls", "/sys/class/net")).join(" "),
  mounts: readFileSync("/proc/self/mounts", "utf8").split("\n"),
  cgroups: (await lines("find", "/sys/fs/cgroup", "-type", "d", "-name", "*nsrun*")).filter((path) => !path.includes("bench")),
  run: readdirSync("/run").sort(),
  // in /tmp others work too, at the same time: what nsrun or Bun makes there bears one of these names
  tmp: readdirSync(tmpdir()).filter(
    (name) => /nsrun|^\.?[0-9a-f]{8,}|^bun-|ffi|tcc/.test(name) && !name.startsWith("nsrun-test-"),
  ),
  processes: [...processes().values()].filter((argv) => argv.includes(mark)),
});
