/**
 * `--plan=oci`: the container as a config.json of the OCI runtime specification (1.0.2, which crun of 2023 knows), to be started by crun or runc in a
 * bundle directory: `nsrun run … --plan=oci >config.json && crun run NAME`. What OCI has no word for is said in
 * docs/design/0009-plan-shown.md.
 */
import { NsrunError } from "../errors.ts";
import { MOUNT_ATTR, MS } from "../ffi/flags.ts";
import { betweenLines } from "./between-sh.ts";
import { buildPlan } from "./build.ts";
import { type ContainerSpec, type IdMap, type Mount, NAMESPACES } from "./spec.ts";

/** config-linux.md, "Namespaces". */
const TYPES: Readonly<Partial<Record<string, string>>> = { net: "network", mnt: "mount" };

/** capabilities(7), by number. nsrun takes none away yet: the container has its caller's, and in a user namespace all. */
const CAPABILITIES =
  "chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable net_bind_service net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write audit_control setfcap mac_override mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore"
    .split(" ")
    .map((name) => `CAP_${name.toUpperCase()}`);

interface OciMount {
  readonly destination: string;
  readonly type?: string;
  readonly source: string;
  readonly options: readonly string[];
}

const KERNEL_FS = ["nosuid", "noexec", "nodev"];
const mount = (destination: string, type: string, source: string, options: readonly string[]): OciMount => ({
  destination,
  type,
  source,
  options,
});

/** As proc and sysfs of mounts.ts: what shows a namespace that is not the container's own can only be bound. */
function kernelMounts({ namespaces, privileged }: ContainerSpec): OciMount[] {
  const foreign = !privileged || namespaces.user.mode !== "share";
  const own = (ns: "pid" | "net") => namespaces[ns].mode === "new";
  const bound = (path: string): OciMount => ({ destination: path, source: path, options: ["rbind"] });
  return [
    foreign && !own("pid") ? bound("/proc") : mount("/proc", "proc", "proc", KERNEL_FS),
    namespaces.user.mode !== "share" && !own("net") ? bound("/sys") : mount("/sys", "sysfs", "sysfs", [...KERNEL_FS, "ro"]),
  ];
}

/** /dev: the runtime itself makes the nodes and links that the specification names, which are ours. */
function devMounts(spec: ContainerSpec): OciMount[] {
  const { mode } = spec.namespaces.user;
  const mapped = mode === "new" && spec.idMaps?.gid.some((m) => m.containerId <= 5 && 5 < m.containerId + m.size);
  const group = mapped || (spec.privileged && mode === "share") ? ["gid=5"] : [];
  const mqueue = spec.namespaces.ipc.mode === "new" || (spec.privileged && mode === "share");
  return [
    mount("/dev", "tmpfs", "tmpfs", ["nosuid", "noexec", "mode=755", "size=65536k"]),
    mount("/dev/pts", "devpts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", ...group]),
    mount("/dev/shm", "tmpfs", "shm", ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
    ...(mqueue ? [mount("/dev/mqueue", "mqueue", "mqueue", KERNEL_FS)] : []),
  ];
}

const FLAGS: readonly (readonly [bind: number, other: number, word: string])[] = [
  [MOUNT_ATTR.MOUNT_ATTR_RDONLY, MS.MS_RDONLY, "ro"],
  [MOUNT_ATTR.MOUNT_ATTR_NOSUID, MS.MS_NOSUID, "nosuid"],
  [MOUNT_ATTR.MOUNT_ATTR_NODEV, MS.MS_NODEV, "nodev"],
  [MOUNT_ATTR.MOUNT_ATTR_NOEXEC, MS.MS_NOEXEC, "noexec"],
  [MOUNT_ATTR.MOUNT_ATTR_NOATIME, MS.MS_NOATIME, "noatime"],
];

function userMount({ type, source, target, flags, data, recursive, recursiveFlags, propagation }: Mount): OciMount {
  const bind = type === "bind";
  const words = FLAGS.filter((row) => (flags & row[bind ? 0 : 1]) !== 0).map((row) => row[2]);
  if (!bind) return mount(target, type, source, [...words, ...(data === "" ? [] : data.split(","))]);
  const deep = words.map((word) => (recursiveFlags ? `r${word}` : word));
  const spread = recursive && !propagation.startsWith("r") ? `r${propagation}` : propagation;
  return { destination: target, source, options: [recursive ? "rbind" : "bind", spread, ...deep] };
}

const mappings = (maps: readonly IdMap[]) =>
  maps.map(({ containerId, hostId, size }) => ({ containerID: containerId, hostID: hostId, size }));

/** The veth pair, made by the runtime's hook, to whose standard input it writes the container's state. */
function hooks(spec: ContainerSpec): object {
  if (spec.net.mode === "pasta")
    throw new NsrunError("--plan=oci: OCI has no network but a namespace: --net none, host, veth or ns:PATH");
  if (spec.net.mode !== "veth") return {};
  const find = `pid=$(sed -nE 's/.*"pid": *([0-9]+).*/\\1/p')`;
  const verbs = buildPlan(spec).between.filter((step) => "verb" in step);
  const script = ["set -e", find, ...betweenLines(verbs)].join("\n");
  return { hooks: { createRuntime: [{ path: "/bin/sh", args: ["sh", "-c", script] }] } };
}

function processConfig({ process, namespaces }: ContainerSpec, held: bigint): object {
  const all = namespaces.user.mode === "new" ? -1n : held;
  const bounding = CAPABILITIES.filter((_, i) => (all >> BigInt(i)) & 1n);
  const capable = process.uid === 0 ? bounding : [];
  const limit = (n: number) => (n === Number.POSITIVE_INFINITY ? 2 ** 64 - 1 : n);
  return {
    terminal: process.terminal !== undefined,
    user: { uid: process.uid, gid: process.gid, umask: 0o22 },
    args: process.args,
    env: process.env,
    cwd: process.cwd ?? "/",
    capabilities: { bounding, effective: capable, permitted: capable, inheritable: [] },
    rlimits: process.rlimits.map(({ name, soft, hard }) => ({
      type: `RLIMIT_${name.toUpperCase()}`,
      soft: limit(soft),
      hard: limit(hard),
    })),
    noNewPrivileges: false,
  };
}

/** The document. `held`: the caller's capabilities, as /proc/self/status has them. Throws NsrunError for what no config.json can say. */
export function ociConfig(spec: ContainerSpec, held: bigint): object {
  const { root, namespaces, idMaps, timeOffsets } = spec;
  if (!root) throw new NsrunError("--plan=oci: an OCI container has a mount namespace and a root of its own");
  if (typeof root.lower === "object")
    throw new NsrunError("--plan=oci needs a root that crun can find", { hint: "name one with --rootfs DIR" });
  const spaces = NAMESPACES.flatMap((ns) => {
    const use = namespaces[ns];
    if (use.mode === "share") return [];
    return [{ type: TYPES[ns] ?? ns, ...(use.mode === "join" ? { path: use.path } : {}) }];
  });
  return {
    ociVersion: "1.0.2",
    process: processConfig(spec, held),
    // a throw-away layer is the bundle's maker's business: without one nothing must write into the directory
    root: { path: root.lower, readonly: root.readOnly || root.layer === "overlay" },
    ...(spec.hostname === undefined ? {} : { hostname: spec.hostname }),
    ...(spec.domainname === undefined ? {} : { domainname: spec.domainname }),
    mounts: [...kernelMounts(spec), ...devMounts(spec), ...spec.mounts.map(userMount)],
    ...hooks(spec),
    linux: {
      namespaces: spaces,
      ...(idMaps && namespaces.user.mode === "new"
        ? { uidMappings: mappings(idMaps.uid), gidMappings: mappings(idMaps.gid) }
        : {}),
      ...(namespaces.time.mode === "new"
        ? {
            timeOffsets: {
              monotonic: { secs: timeOffsets.monotonic, nanosecs: 0 },
              boottime: { secs: timeOffsets.boottime, nanosecs: 0 },
            },
          }
        : {}),
      rootfsPropagation: spec.propagation,
    },
  };
}
