/** What a plan is made from: a container described completely and checked, in the words of the OCI runtime specification. */
import { CLONE } from "../ffi/flags.ts";
import type { Subnet } from "../net/reserve.ts";
import type { MaskedPath } from "../security/defaults.ts";

export const NAMESPACES = ["pid", "net", "mnt", "uts", "ipc", "user", "cgroup", "time"] as const;
export type Namespace = (typeof NAMESPACES)[number];

/** Each namespace's flag for clone(2), unshare(2) and setns(2). */
export const NAMESPACE_FLAG: Readonly<Record<Namespace, number>> = {
  pid: CLONE.CLONE_NEWPID,
  net: CLONE.CLONE_NEWNET,
  mnt: CLONE.CLONE_NEWNS,
  uts: CLONE.CLONE_NEWUTS,
  ipc: CLONE.CLONE_NEWIPC,
  user: CLONE.CLONE_NEWUSER,
  cgroup: CLONE.CLONE_NEWCGROUP,
  time: CLONE.CLONE_NEWTIME,
};

/** A namespace of its own, the caller's, or the one that a file (`/proc/PID/ns/NS`, a bind mount of it) stands for. */
export type NamespaceUse =
  | { readonly mode: "new" }
  | { readonly mode: "share" }
  | { readonly mode: "join"; readonly path: string };

/** One line of uid_map or gid_map (user_namespaces(7)). */
export interface IdMap {
  readonly containerId: number;
  readonly hostId: number;
  readonly size: number;
}

/** Both maps of a new user namespace. */
export interface IdMaps {
  readonly uid: readonly IdMap[];
  readonly gid: readonly IdMap[];
  /** Whether setgroups(2) works inside. `false` writes "deny", which an unprivileged writer of gid_map must. */
  readonly setgroups: boolean;
  /** The setuid programs (newuidmap, newgidmap) that write what the kernel would not let us write ourselves. */
  readonly writers?: { readonly uid?: string; readonly gid?: string };
}

export type Propagation = "private" | "rprivate" | "slave" | "rslave" | "shared" | "rshared" | "unbindable" | "runbindable";

/** `bind`: a file or directory of the host. Otherwise a file system type, with its mount data. */
export interface Mount {
  readonly type: string;
  readonly source: string;
  /** Absolute, inside the root. */
  readonly target: string;
  /** MOUNT_ATTR_* for a bind, MS_* otherwise. */
  readonly flags: number;
  readonly data: string;
  /** bind: with the mounts below the source. */
  readonly recursive: boolean;
  /** bind: `flags` hold for the mounts below as well (`rro`). */
  readonly recursiveFlags: boolean;
  readonly propagation: Propagation;
  /** The source is not a directory, so neither is the target. */
  readonly file: boolean;
  /** bind, as root with a user namespace: `false` leaves the owners as they are outside, so that most show as nobody. */
  readonly idmap?: boolean;
}

export interface RootSpec {
  /** The directory that becomes (or lies under) `/`, or a descriptor of one that is in no mount namespace. */
  readonly lower: string | { readonly fd: number; readonly shared: boolean };
  /** `overlay`: a throw-away layer on top. `bind`: the directory itself (`--rw`). */
  readonly layer: "overlay" | "bind";
  readonly readOnly: boolean;
  /** chroot(2) instead of pivot_root(2): the host's tree stays in the namespace. */
  readonly chroot: boolean;
  /** `bind`: where in the directory something else is mounted already, as absolute paths inside the root. */
  readonly below?: readonly string[] | undefined;
  /** An existing directory that the container may mount over while it builds its root by paths. */
  readonly anchor: string;
}

/** prlimit(2). `raised`: the caller's soft limit, where `hard` is above the caller's: only root outside may do that. */
export interface Rlimit {
  readonly name: string;
  readonly resource: number;
  readonly soft: number;
  readonly hard: number;
  readonly raised?: number;
}

export interface ProcessSpec {
  /** Empty: no command; pid 1 reaps and waits for others to join. */
  readonly args: readonly string[];
  readonly env: readonly string[];
  /** undefined: where the process happens to be. */
  readonly cwd: string | undefined;
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  /** Whether setgroups(2) is allowed in the command's user namespace. */
  readonly setgroups: boolean;
  readonly rlimits: readonly Rlimit[];
  readonly capabilities: Capabilities;
  /** prctl(2) PR_SET_NO_NEW_PRIVS: no set-id program and no file capability gives more than there is. */
  readonly noNewPrivileges: boolean;
  /** A session keyring of its own, where the kernel has keys: else the keys of the caller's session could be used. */
  readonly newKeyring: boolean;
  /** undefined: every call of the kernel is allowed. */
  readonly seccomp: SeccompSpec | undefined;
  /** nsrun's own pid 1; without it the command itself is pid 1. */
  readonly init: boolean;
  /** For 0, 1, 2: "inherit", a descriptor to put there, or the container's own terminal. */
  readonly stdio: readonly StdioUse[];
  /** A pseudo-terminal of the container's own; the stage carries its bytes from and to the caller. */
  readonly terminal: TerminalSpec | undefined;
  /** What the command may still reach: landlock(7). */
  readonly landlock?: LandlockSpec | undefined;
}

/** Masks and structures of linux/landlock.h, made from `--landlock` rules by src/security/landlock.ts. */
export interface LandlockSpec {
  readonly fs: number;
  readonly net: number;
  readonly scoped: number;
  /** `onFile`: the part of `access` that a file may have; the kernel refuses the rest there. */
  readonly paths: readonly { readonly path: string; readonly access: number; readonly onFile: number; readonly text: string }[];
  readonly ports: readonly { readonly port: number; readonly access: number; readonly text: string }[];
  /** There are no namespaces: capabilities go as well. */
  readonly alone: boolean;
}

/** Capability sets by name (CAP_…). Inheritable = ambient, permitted = effective. */
export interface Capabilities {
  /** The most that any program inside can have; root's permitted set. undefined: a caller without any cannot even drop them. */
  readonly bounding: readonly string[] | undefined;
  /** All that a user other than root has, from the start on. */
  readonly ambient: readonly string[];
  /** Of nsrun's own pid 1. */
  readonly init: readonly string[];
}

/** struct sock_filter[] in base64 (a spec is compared as JSON): the command's, and that of nsrun's own pid 1. */
export interface SeccompSpec {
  readonly filter: string;
  readonly init: string;
  /** SECCOMP_FILTER_FLAG_* of the command's. */
  readonly flags: number;
  /** nsrun's own policy. */
  readonly own: boolean;
  /** How many filters the caller is under already; undefined: none, or a kernel that does not count them (before 5.9). */
  readonly outer?: number;
}

export type StdioUse = "inherit" | "terminal" | number;

export interface TerminalSpec {
  /** struct termios (the kernel's, 36 bytes) and struct winsize (8 bytes) that it begins with; undefined: the kernel's defaults. */
  readonly termios: Uint8Array | undefined;
  readonly size: Uint8Array;
  /** It gets the caller's input. */
  readonly input: boolean;
  /** The caller's input is a terminal: in raw mode meanwhile, `saved` afterwards. */
  readonly caller: { readonly raw: Uint8Array; readonly saved: Uint8Array } | undefined;
}

export type NetSpec =
  | { readonly mode: "none" | "host" | "join" }
  | {
      readonly mode: "veth";
      readonly hostName: string;
      readonly alias: string;
      readonly name: string;
      readonly subnet: Pick<Subnet, "host" | "container">;
      /** The rtnetlink message that deletes the host's end, for the stage. */
      readonly removal: Uint8Array;
      /** undefined: no default route. */
      readonly gateway: string | undefined;
    }
  | UplinkSpec;

/** A program of the host that carries the container's packets over sockets of its own: pasta(1) or slirp4netns(1). */
export interface UplinkSpec {
  readonly mode: "pasta";
  /** Its absolute path, and its arguments from argv[0] on. Descriptor 0 will be what `hands` says. */
  readonly program: string;
  readonly args: readonly string[];
  /** Descriptor 0 is the container's network namespace, or its directory of /proc, by which the user namespace is found too. */
  readonly hands: "net" | "process";
  /** What the container's /etc/resolv.conf says. */
  readonly resolvConf: string;
  /** Ports that have to be asked for over a socket at `path`, made by the program when it starts. */
  readonly control: { readonly path: string; readonly requests: readonly string[] } | undefined;
}

export interface ContainerSpec {
  readonly name: string;
  readonly namespaces: Readonly<Record<Namespace, NamespaceUse>>;
  /** undefined: the mount namespace is shared or joined, and so is its root. */
  readonly root: RootSpec | undefined;
  readonly mounts: readonly Mount[];
  /** Of proc and sysfs, before the caller's own mounts: what is hidden, and what can only be read. All of them exist. */
  readonly maskedPaths: readonly MaskedPath[];
  readonly readonlyPaths: readonly string[];
  /** Where a tmpfs hides what the rootfs has: absolute, one component. Empty for a root that is written in place. */
  readonly scratch: readonly string[];
  readonly propagation: Propagation;
  readonly hostname: string | undefined;
  readonly domainname: string | undefined;
  /** Seconds added to the clocks of a new time namespace. */
  readonly timeOffsets: { readonly monotonic: number; readonly boottime: number };
  /** For a new user namespace. */
  readonly idMaps: IdMaps | undefined;
  readonly net: NetSpec;
  readonly process: ProcessSpec;
  /** Directories of control groups that the container's processes are born in: absolute, one for each hierarchy. */
  readonly cgroup?: readonly string[];
  /** A v2 cgroup that the stage makes for the container, with pids.max, and removes after it. */
  readonly group?: { readonly dir: string; readonly pids: number };
  /** CAP_SYS_ADMIN in the initial user namespace: the parent prepares mounts. Otherwise the container makes everything itself. */
  readonly privileged: boolean;
}

/**
 * How `/` is made. `detached`: by the parent, as a tree that is mounted nowhere (6.15); `paths`: by the container; `staged`: by
 * the stage, where owners are mapped and the kernel is too old for the container to do it (6.6).
 */
export type Recipe = "detached" | "paths" | "staged";

/**
 * Root's container in another user namespace: the parent can do for its mounts what it cannot, give them mapped owners. An
 * overlay is never idmapped (its layers are), and the container makes it itself.
 */
export const mapped = (spec: ContainerSpec): boolean => spec.privileged && spec.namespaces.user.mode !== "share";
