/**
 * `--plan=oci`: the container as a config.json of the OCI runtime specification (1.0.2, which crun of 2023 knows), to be started by crun or runc in a
 * bundle directory: `nsrun run … --plan=oci >config.json && crun run NAME`. What OCI has no word for is said in
 * docs/design/0009-plan-shown.md.
 */
import { NsrunError } from "../errors.ts";
import { ARCH } from "../ffi/abi.ts";
import { CAPABILITIES, MOUNT_ATTR, MS } from "../ffi/flags.ts";
import { defaultPolicy } from "../security/default-policy.ts";
import { ociSeccomp } from "../security/oci.ts";
import { betweenLines } from "./between-sh.ts";
import { buildPlan } from "./build.ts";
import { boundProc, boundSys } from "./masks.ts";
import { type ContainerSpec, type IdMap, type Mount, NAMESPACES, type ProcessSpec } from "./spec.ts";

/** config-linux.md, "Namespaces". */
const TYPES: Readonly<Partial<Record<string, string>>> = { net: "network", mnt: "mount" };

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

/** As proc and sysfs of masks.ts; what is mounted, and not bound, is read-only by its option. */
function kernelMounts(spec: ContainerSpec): OciMount[] {
  const bound = (path: string): OciMount => ({ destination: path, source: path, options: ["rbind"] });
  return [
    boundProc(spec) ? bound("/proc") : mount("/proc", "proc", "proc", KERNEL_FS),
    boundSys(spec)
      ? bound("/sys")
      : mount("/sys", "sysfs", "sysfs", [...KERNEL_FS, ...(spec.readonlyPaths.includes("/sys") ? ["ro"] : [])]),
  ];
}

/** /dev: the runtime itself makes the nodes and links that the specification names, which are ours. */
function devMounts(spec: ContainerSpec): OciMount[] {
  const { mode } = spec.namespaces.user;
  const mapped = mode === "new" && spec.idMaps?.gid.some((m) => m.containerId <= 5 && 5 < m.containerId + m.size);
  const group = mapped || (spec.privileged && mode === "share") ? ["gid=5"] : [];
  const mqueue = spec.namespaces.ipc.mode === "new" || (spec.privileged && mode === "share");
  return [
    mount("/dev", "tmpfs", "tmpfs", [
      "nosuid",
      "noexec",
      "mode=755",
      "size=65536k",
      ...(spec.readonlyPaths.includes("/dev") ? ["ro"] : []),
    ]),
    mount("/dev/pts", "devpts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", ...group]),
    mount("/dev/shm", "tmpfs", "shm", ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
    ...(mqueue ? [mount("/dev/mqueue", "mqueue", "mqueue", KERNEL_FS)] : []),
  ];
}

const scratchMounts = ({ scratch }: ContainerSpec): OciMount[] =>
  scratch.map((path) => mount(path, "tmpfs", "tmpfs", ["nosuid", "nodev", path === "/tmp" ? "mode=1777" : "mode=755"]));

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

/** A caller who cannot even drop capabilities gives the container what it has itself; in a user namespace that is all. */
function capabilitySets({ process, namespaces }: ContainerSpec, held: bigint): object {
  const has = (_: string, i: number) => namespaces.user.mode === "new" || (held >> BigInt(i)) & 1n;
  const bounding = process.capabilities.bounding ?? CAPABILITIES.filter(has);
  if (process.uid === 0) return { bounding, effective: bounding, permitted: bounding, inheritable: [] };
  const { ambient } = process.capabilities;
  return { bounding, effective: ambient, permitted: ambient, inheritable: ambient, ambient };
}

/** The default policy's table. Another filter is a file that says itself what it is. */
function seccompConfig({ seccomp, capabilities }: ProcessSpec): object {
  if (!seccomp) return {};
  if (!seccomp.own)
    throw new NsrunError("--plan=oci: the file of --seccomp has to become linux.seccomp as it is", {
      hint: "leave --seccomp out, and put the file's JSON there",
    });
  return { seccomp: ociSeccomp(defaultPolicy(ARCH, new Set(capabilities.bounding)), ARCH) };
}

function processConfig(spec: ContainerSpec, held: bigint): object {
  const { process } = spec;
  const limit = (n: number) => (n === Number.POSITIVE_INFINITY ? 2 ** 64 - 1 : n);
  return {
    terminal: process.terminal !== undefined,
    user: {
      uid: process.uid,
      gid: process.gid,
      umask: 0o22,
      ...(process.groups.length > 0 ? { additionalGids: process.groups } : {}),
    },
    args: process.args,
    env: process.env,
    cwd: process.cwd ?? "/",
    capabilities: capabilitySets(spec, held),
    rlimits: process.rlimits.map(({ name, soft, hard }) => ({
      type: `RLIMIT_${name.toUpperCase()}`,
      soft: limit(soft),
      hard: limit(hard),
    })),
    noNewPrivileges: process.noNewPrivileges,
  };
}

/** The document. `held`: the caller's capabilities, as /proc/self/status has them. Throws NsrunError for what no config.json can say. */
export function ociConfig(spec: ContainerSpec, held: bigint): object {
  const { root, namespaces, idMaps, timeOffsets } = spec;
  if (spec.process.landlock) throw new NsrunError("--plan=oci: OCI has no word for Landlock's rules");
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
    mounts: [...kernelMounts(spec), ...devMounts(spec), ...scratchMounts(spec), ...spec.mounts.map(userMount)],
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
      ...(spec.group ? { resources: { pids: { limit: spec.group.pids } } } : {}),
      rootfsPropagation: spec.propagation,
      maskedPaths: spec.maskedPaths.map(({ path }) => path),
      readonlyPaths: spec.readonlyPaths.filter((path) => path !== "/dev" && (path !== "/sys" || boundSys(spec))),
      ...seccompConfig(spec.process),
    },
  };
}
