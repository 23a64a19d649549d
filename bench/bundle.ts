/** An OCI bundle for crun and runc, as near to nsrun's default container as their configuration allows. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";

const kernelFs = ["nosuid", "noexec", "nodev"];

const mount = (destination: string, type: string, source: string, options: string[]) => ({ destination, type, source, options });

/** The same mounts and namespaces; the root is the busybox tree itself, read-only, since OCI has no layer of its own. */
const config = (root: string) => ({
  ociVersion: "1.0.2",
  process: {
    terminal: false,
    user: { uid: 0, gid: 0 },
    args: ["/bin/true"],
    env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
    cwd: "/",
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
  linux: { namespaces: ["pid", "network", "ipc", "uts", "mount", "cgroup"].map((type) => ({ type })) },
});

/** Writes it to a temporary directory that goes with this process. */
export async function writeBundle(root: string): Promise<string> {
  const dir = mkdtempSync(`${tmpdir()}/nsrun-bench-`);
  process.on("exit", () => rmSync(dir, { recursive: true, force: true }));
  await Bun.write(`${dir}/config.json`, JSON.stringify(config(root), null, 2));
  return dir;
}
