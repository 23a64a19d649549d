/** An OCI bundle for crun and runc, as near to nsrun's default container as their configuration allows. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { ALLOWED } from "../src/security/default-policy.ts";
import { DEFAULT_CAPABILITIES, MASKED, READ_ONLY } from "../src/security/defaults.ts";

const kernelFs = ["nosuid", "noexec", "nodev"];

const mount = (destination: string, type: string, source: string, options: string[]) => ({ destination, type, source, options });

const [bounding, permitted, effective] = [DEFAULT_CAPABILITIES, DEFAULT_CAPABILITIES, DEFAULT_CAPABILITIES];
const rlimit = (type: string, soft: number, hard: number) => ({ type, soft, hard });

/** nsrun's allow list; the calls that it decides by their arguments are left out, which makes this filter the smaller one. */
const seccomp = {
  defaultAction: "SCMP_ACT_ERRNO",
  defaultErrnoRet: 38,
  architectures: [process.arch === "arm64" ? "SCMP_ARCH_AARCH64" : "SCMP_ARCH_X86_64"],
  syscalls: [{ names: [...ALLOWED, "clone", "socket", "ioctl", "personality"], action: "SCMP_ACT_ALLOW" }],
};

/**
 * The same mounts, namespaces and defences but for the user namespace (runc 1.1 maps no owners, and crun gives its standard
 * streams away); the root is the busybox tree itself, read-only, since OCI has no layer of its own.
 */
const config = (root: string) => ({
  ociVersion: "1.0.2",
  process: {
    terminal: false,
    user: { uid: 0, gid: 0 },
    args: ["/bin/true"],
    env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
    cwd: "/",
    capabilities: { bounding, permitted, effective },
    rlimits: [rlimit("RLIMIT_NOFILE", 1024, 1024), rlimit("RLIMIT_CORE", 0, 0)],
    noNewPrivileges: true,
  },
  root: { path: root, readonly: true },
  hostname: "nsrun",
  mounts: [
    mount("/proc", "proc", "proc", kernelFs),
    mount("/dev", "tmpfs", "tmpfs", ["nosuid", "mode=755", "size=64k"]),
    mount("/dev/pts", "devpts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
    mount("/dev/shm", "tmpfs", "shm", [...kernelFs, "mode=1777", "size=65536k"]),
    mount("/dev/mqueue", "mqueue", "mqueue", kernelFs),
    mount("/sys", "sysfs", "sysfs", [...kernelFs, "ro"]),
  ],
  linux: {
    seccomp,
    maskedPaths: MASKED.map(({ path }) => path),
    readonlyPaths: READ_ONLY.filter((path) => path !== "/sys" && path !== "/sys/fs/cgroup"),
    namespaces: ["pid", "network", "ipc", "uts", "mount", "cgroup"].map((type) => ({ type })),
  },
});

/** Writes it to a temporary directory that goes with this process. */
export async function writeBundle(root: string): Promise<string> {
  const dir = mkdtempSync(`${tmpdir()}/nsrun-bench-`);
  process.on("exit", () => rmSync(dir, { recursive: true, force: true }));
  await Bun.write(`${dir}/config.json`, JSON.stringify(config(root), null, 2));
  return dir;
}
