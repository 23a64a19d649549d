/** Hostile roots, the host that they aim at, and the program that starts containers in them. */

import { expect } from "bun:test";
import { chmodSync, linkSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { MASKED, READ_ONLY } from "../../../src/security/defaults.ts";
import { isRoot, shell, type Temporary, temporary } from "../helpers.ts";
import type { Case, Result } from "./driver.ts";

/** What lies in a place where a mount point should be. */
export const KINDS = ["host", "up", "other", "loop", "magic", "file", "fifo"] as const;
export type Kind = (typeof KINDS)[number];
export const PLACES = ["/dev", "/proc", "/sys", "/etc", "/etc/resolv.conf", "/run", "/tmp", "/var/log"] as const;

/** Of NSRUN_ROOT_RECIPE, "" being the kernel's best; "staged" is root's. */
export const RECIPES: readonly string[] = isRoot ? ["", "paths", "staged"] : ["", "paths"];
/** For the name of a test. */
export const madeBy = (recipe: string): string => (recipe === "" ? "" : `, root made by the recipe ${recipe}`);

/** The worst case: root inside is root outside, where that is not the default any more. There is no "staged" without a user namespace. */
export function asHost(recipe: string): object {
  if (!isRoot) return {};
  return recipe === "staged" ? { uidMap: ["0:0:65536"] } : { userns: "host" };
}

const compile = (source: string, to: string) => {
  const file = new URL(source, import.meta.url).pathname;
  const gcc = Bun.spawnSync(["gcc", "-static", "-O1", "-o", to, file], { stdout: "ignore", stderr: "pipe" });
  if (gcc.exitCode !== 0) throw new Error(gcc.stderr.toString());
};

/** Everything below one temporary directory; `host` stands for the host's files, which must stay as they are. */
export class HostilePlace implements Disposable {
  readonly dir: Temporary = temporary();
  readonly host = this.dir.file("host");
  readonly swapper = this.dir.file("swap");
  #count = 0;

  constructor() {
    chmodSync(this.dir.path, 0o755);
    for (const sub of ["host/pts", "host/shm", "host/mqueue", "host/log", "host/sys/net/ipv4", "volume", "cache"])
      mkdirSync(this.dir.file(sub), { recursive: true });
    writeFileSync(this.dir.file("host/resolv.conf"), "the host's\n");
    writeFileSync(this.dir.file("host/secret"), "secret\n");
    writeFileSync(this.dir.file("host/sys/net/ipv4/ping_group_range"), "1\t0\n");
    writeFileSync(this.dir.file("resolv"), "nameserver 192.0.2.1\n");
    writeFileSync(this.dir.file("volume/of-the-volume"), "");
    compile("look.c", this.dir.file("look"));
    compile("swap.c", this.swapper);
  }

  /** A directory with bin/look and nothing else. */
  root(): string {
    const root = this.dir.file(`root${++this.#count}`);
    mkdirSync(join(root, "bin"), { recursive: true });
    linkSync(this.dir.file("look"), join(root, "bin/look"));
    return root;
  }

  /** A root with `kind` at `place`. */
  hostileRoot(place: string, kind: Kind): string {
    const root = this.root();
    const at = join(root, place);
    mkdirSync(dirname(at), { recursive: true });
    const next = PLACES[(PLACES.indexOf(place as (typeof PLACES)[number]) + 1) % PLACES.length]!;
    if (kind === "other" && dirname(next) !== place) mkdirSync(join(root, next), { recursive: true });
    if (kind === "host") symlinkSync(this.host, at);
    else if (kind === "up") symlinkSync(`../../../../../../../..${this.host}`, at);
    else if (kind === "other") symlinkSync(next, at);
    else if (kind === "loop") symlinkSync(place, at);
    else if (kind === "magic") symlinkSync(`/proc/self/root${this.host}`, at);
    else if (kind === "file") writeFileSync(at, "a file\n");
    else if (Bun.spawnSync(["mkfifo", at]).exitCode !== 0) throw new Error(`mkfifo ${at}`);
    return root;
  }

  /** `tar -c` of a root; its owner is root, so that what is unpacked of it without root is the caller's. */
  tar(root: string): string {
    const { exitCode, stderr } = Bun.spawnSync(["tar", "-C", root, "--owner=0", "--group=0", "-cf", `${root}.tar`, "."]);
    if (exitCode !== 0) throw new Error(stderr.toString());
    return `${root}.tar`;
  }

  /** Names, types, modes, owners, sizes, contents' times and link targets below `path`; the host's mounts. */
  state(...paths: string[]): string {
    const find = Bun.spawnSync(["find", ...paths, "-printf", "%p %y %m %U:%G %s %T@ %l\n"]);
    return find.stdout.toString().split("\n").sort().join("\n") + readFileSync("/proc/self/mountinfo", "utf8");
  }

  /** What no start may change. */
  watched = (): string => this.state(this.host, this.dir.file("volume"), this.dir.file("resolv"));

  async start(cases: readonly Case[], env: Record<string, string> = {}): Promise<Result[]> {
    const list = this.dir.file("cases.json");
    writeFileSync(list, JSON.stringify(cases));
    const driver = new URL("driver.ts", import.meta.url).pathname;
    const { code, stdout, stderr } = await shell([process.execPath, driver, list], {
      env: { NSRUN_CACHE: this.dir.file("cache"), ...env },
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    return JSON.parse(stdout);
  }

  [Symbol.dispose](): void {
    this.dir[Symbol.dispose]();
  }
}

/** What nsrun mounts by itself. */
export const NSRUN_MOUNTS: readonly string[] = ["/", "/dev", "/dev/mqueue", "/dev/pts", "/dev/shm", "/proc", "/sys"];

const FILES = new Set(MASKED.filter(({ directory }) => !directory).map(({ path }) => path));
const DIRECTORIES = new Set(MASKED.filter(({ directory }) => directory).map(({ path }) => path));

/** What hides a path of /proc or /sys: a null node, an empty tmpfs, or the path itself once more; `what` as in mountsOf. */
function isMask(path: string, what: string): boolean {
  if (FILES.has(path)) return /^\/null (tmpfs|devtmpfs)$/.test(what);
  if (DIRECTORIES.has(path)) return what === "/ tmpfs";
  return (
    READ_ONLY.includes(path) && [`${path.replace(/^\/proc/, "")} proc`, `${path.replace(/^\/sys/, "")} sysfs`].includes(what)
  );
}

/** Without root a node is the host's, bound. */
export const isOwn = ([path, what]: readonly [path: string, what: string]): boolean =>
  NSRUN_MOUNTS.includes(path) || /^\/dev\/(null|zero|full|random|urandom|tty)$/.test(path) || isMask(path, what);

/** Mount points inside, by the kernel's own list: path → the mount's root and type, the topmost one. */
export function mountsOf({ stdout = "" }: Result): Map<string, string> {
  const lines = stdout.split("\n").filter((line) => /^\d+ \d+ /.test(line));
  return new Map(lines.map((line) => [line.split(" ")[4]!, `${line.split(" ")[3]} ${/ - (\S+)/.exec(line)?.[1]}`]));
}
