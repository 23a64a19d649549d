/**
 * The tree of a small system around one busybox, as people expect it (hier(7)): made below any directory descriptor, be it
 * in the cache or an unattached tmpfs of fsmount(2). Everything is made by a single name in its parent's descriptor.
 */
import { NsrunError } from "../errors.ts";
import { errno } from "../ffi/errno.ts";
import { O } from "../ffi/flags.ts";
import { failed, must, sys } from "../ffi/syscall.ts";
import { splitName } from "./names.ts";
import { Tree } from "./tree.ts";

/** Directories, parents first, with their modes. */
const DIRECTORIES: readonly (readonly [string, number])[] = [
  ...["bin", "dev", "etc", "home", "lib", "mnt", "opt", "run", "sbin", "sys", "usr", "var"].map((dir) => [dir, 0o755] as const),
  ["proc", 0o555],
  ["root", 0o700],
  ["tmp", 0o1777],
  ...["usr/bin", "usr/sbin", "usr/lib", "var/log", "var/lib", "var/cache"].map((dir) => [dir, 0o755] as const),
  ["var/tmp", 0o1777],
];

/** ids as Debian has them; tty is the group of the devpts mount. */
const FILES: Readonly<Record<string, string>> = {
  "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
  "etc/group": "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n",
  "etc/hosts": "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n",
  "etc/hostname": "nsrun\n",
  "etc/resolv.conf": "",
  "etc/shells": "/bin/sh\n/bin/ash\n",
  "etc/profile": "export PS1='\\u@\\h:\\w\\$ '\n",
};

const LINKS: Readonly<Record<string, string>> = { "var/run": "../run", "etc/mtab": "../proc/self/mounts" };

/**
 * Fills an empty directory. `busybox`: the program's bytes or a path for `Bun.file`; `applets`: paths as `busybox --list-full`
 * prints them. The applets are relative symbolic links: they show what they are and survive a copy or an overlay.
 */
export async function populateBusyboxRoot(
  rootFd: number,
  busybox: string | Uint8Array,
  applets: readonly string[],
): Promise<void> {
  const image = typeof busybox === "string" ? await Bun.file(busybox).bytes() : busybox;
  using tree = new Tree(rootFd);
  const chmod = (at: number, name: string, mode: number): void => {
    // our own fresh tree: nothing else can have put a link there, and mkdirat's mode went through the umask
    must(`set the mode of ${name}`, "fchmodat", at, name, mode);
  };
  const place = (path: string): { at: number; name: string; depth: number } => {
    const parts = path.split("/");
    const at = tree.directory(parts.slice(0, -1), () => undefined);
    if (at < 0) throw failed(at, `make the directory of ${path}`);
    return { at, name: parts.at(-1) ?? "", depth: parts.length - 1 };
  };
  for (const [path, mode] of DIRECTORIES) {
    const { at, name } = place(path);
    must(`make ${path}`, "mkdirat", at, name, mode);
    chmod(at, name, mode);
  }
  const file = (path: string, content: Uint8Array, mode: number): void => {
    const { at, name } = place(path);
    const fd = must(`make ${path}`, "openat", at, name, O.O_WRONLY | O.O_CREAT | O.O_EXCL | O.O_NOFOLLOW | O.O_CLOEXEC, mode);
    try {
      for (let done = 0; done < content.length; ) {
        done += must(`write ${path}`, "write", fd, content.subarray(done), content.length - done);
      }
      must(`set the mode of ${path}`, "fchmod", fd, mode);
    } finally {
      sys("close", fd);
    }
  };
  for (const [path, text] of Object.entries(FILES)) file(path, new TextEncoder().encode(text), 0o644);
  file("bin/busybox", image, 0o755);
  for (const [path, target] of Object.entries(LINKS)) {
    const { at, name } = place(path);
    must(`make ${path}`, "symlinkat", target, at, name);
  }
  for (const path of applets) {
    if (path === "bin/busybox") continue;
    const { at, name, depth } = place(path);
    const target = path.startsWith("bin/") && depth === 1 ? "busybox" : `${"../".repeat(depth)}bin/busybox`;
    const result = sys("symlinkat", target, at, name);
    if (result < 0 && result !== -errno("EEXIST")) throw failed(result, `make ${path}`);
  }
}

const MFD_CLOEXEC = 1;
const MFD_EXEC = 0x10;

function ask(fd: number): { stdout: Buffer; exitCode: number } {
  try {
    return Bun.spawnSync([`/proc/${process.pid}/fd/${fd}`, "--list-full"], {
      argv0: "busybox",
      env: {},
      stdin: "ignore",
      stderr: "pipe",
    });
  } catch (error) {
    throw new NsrunError(`cannot run busybox to list its applets: ${(error as NodeJS.ErrnoException).code}`, {
      hint: "is /proc mounted, and that of this pid namespace? (unshare --mount-proc)",
      cause: error,
    });
  }
}

/** The applets of a busybox, asked of itself. It runs from a memfd: no disk is needed, and noexec mounts do not matter. */
export function appletsOf(image: Uint8Array): string[] {
  let fd = sys("memfd_create", "busybox", MFD_CLOEXEC | MFD_EXEC);
  if (fd === -errno("EINVAL")) fd = sys("memfd_create", "busybox", MFD_CLOEXEC); // before Linux 6.3
  if (fd < 0) throw failed(fd, "make a memfd for busybox");
  try {
    for (let at = 0; at < image.length; ) at += must("copy busybox", "write", fd, image.subarray(at), image.length - at);
    const run = ask(fd);
    const applets = run.stdout
      .toString()
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line !== "");
    const sound = applets.every((path) => /^[\x21-\x7e]+$/.test(path) && "parts" in splitName(path, 4, 255) && path[0] !== "/");
    if (run.exitCode !== 0 || !sound || !applets.includes("bin/sh")) {
      throw new NsrunError("busybox --list-full did not list its applets (built without FEATURE_INSTALLER, or not a busybox)");
    }
    return applets;
  } finally {
    sys("close", fd);
  }
}
