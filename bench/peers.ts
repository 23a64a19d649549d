/** Whole processes, from vfork to their end: nsrun, its peers, and what an empty Bun program costs. */
import { chownSync, copyFileSync, cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { writeBundle } from "./bundle.ts";
import { OUT, Server } from "./server.ts";
import { EMPTY, NSRUN } from "./tools.ts";

export interface Peer {
  readonly name: string;
  readonly argv: readonly string[];
  /** Runs before the timer of this peer starts, in a mount namespace of its own. */
  readonly setUp?: string;
}

/** crun 1.8 refuses a cgroup v1 hierarchy with a v2 one beside it; without the latter it works as on plain v1. */
const PLAIN_CGROUPS = "if mountpoint -q /sys/fs/cgroup/unified; then umount /sys/fs/cgroup/unified; fi";

const supports = (program: string, option: string): boolean =>
  Bun.which(program) !== null && Bun.spawnSync([program, "--help"]).stdout.toString().includes(option);

function bwrap(root: string): Peer {
  const overlay = supports("bwrap", "--tmp-overlay");
  const layer = overlay ? ["--overlay-src", root, "--tmp-overlay", "/"] : ["--ro-bind", root, "/"];
  const unshare = ["pid", "net", "ipc", "uts", "cgroup"].map((ns) => `--unshare-${ns}`);
  const mounts = ["--proc", "/proc", "--dev", "/dev", "--mqueue", "/dev/mqueue"];
  return { name: "bwrap", argv: ["bwrap", ...layer, ...mounts, ...unshare, "--hostname", "nsrun", "/bin/true"] };
}

export async function peers(root: string): Promise<Peer[]> {
  const bundle = await writeBundle(root);
  const oci = (program: string): readonly string[] => [
    program,
    "run",
    "--bundle",
    bundle,
    `nsrun-bench-${process.pid}-${program}`,
  ];
  return [
    { name: "nsrun run", argv: [NSRUN, "run", "--", "true"] },
    { name: "C, the same calls", argv: [`${OUT}/start`, "1", root] },
    { name: "empty Bun program", argv: [EMPTY] },
    { name: "unshare", argv: ["unshare", "-fpmuinC", "-R", root, "--mount-proc", "/bin/true"] },
    bwrap(root),
    { name: "crun run", argv: oci("crun"), setUp: PLAIN_CGROUPS },
    { name: "runc run", argv: oci("runc") },
  ];
}

/** Each with a user namespace and a single id; nsrun's file and cache, and the root, lie where that user can look. */
export function ordinaryUser(root: string): Peer[] {
  const home = `${OUT}/user`;
  mkdirSync(`${home}/cache`, { recursive: true });
  copyFileSync(NSRUN, `${home}/nsrun`);
  rmSync(`${home}/root`, { recursive: true, force: true });
  cpSync(root, `${home}/root`, { recursive: true, verbatimSymlinks: true });
  chownSync(`${home}/cache`, 65534, 65534);
  const user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
  const { argv } = bwrap(`${home}/root`);
  return [
    { name: "nsrun run", argv: [...user, "env", `NSRUN_CACHE=${home}/cache`, `${home}/nsrun`, "run", "--", "true"] },
    { name: "unshare", argv: [...user, "unshare", "-UrfpmuinC", "-R", `${home}/root`, "--mount-proc", "/bin/true"] },
    { name: "bwrap", argv: [...user, ...argv.slice(0, 1), "--unshare-user", ...argv.slice(1)] },
  ];
}

/** What only prints. */
export function helps(): Peer[] {
  const nsrun = (...args: string[]): Peer => ({ name: `nsrun ${args.join(" ")}`, argv: [NSRUN, ...args] });
  return [
    { name: "empty Bun program", argv: [EMPTY] },
    nsrun("--help"),
    nsrun("help", "run"),
    nsrun("--version"),
    nsrun("__complete", "run", "--net", ""),
  ];
}

export const TERMINAL_MB = 100;

/** Lines of 79 letters, copied from a file by a command whose terminal is a new one. */
export function terminals(): Peer[] {
  const file = `${OUT}/lines`;
  writeFileSync(file, `${"x".repeat(79)}\n`.repeat((TERMINAL_MB * 1e6) / 80));
  return [
    { name: "nsrun run -t", argv: [NSRUN, "run", "-v", `${file}:/lines:ro`, "-t", "--", "cat", "/lines"] },
    { name: "script", argv: ["script", "-qc", `cat ${file}`, "/dev/null"] },
  ];
}

function serve({ name, argv, setUp }: Peer): Server {
  const timer = [`${OUT}/spawn`, "serve", ...argv];
  return new Server(name, setUp ? ["unshare", "-m", "sh", "-c", `${setUp}; exec "$@"`, "sh", ...timer] : timer);
}

/** Starts the timer of a peer and tries it once; a sentence when it cannot be measured. */
export async function open(peer: Peer): Promise<Server | string> {
  const [program = "", ...rest] = peer.argv;
  const path = Bun.which(program);
  if (!path) return `${program} is not installed`;
  const server = serve({ ...peer, argv: [path, ...rest] });
  try {
    const { status } = (await server.times(1))[0]!;
    if (status === 0) return server;
    await server.end();
    return `exit code ${status}: ${await server.why()}`;
  } catch (error) {
    await server.end();
    return `${(error as Error).message}: ${await server.why()}`;
  }
}
