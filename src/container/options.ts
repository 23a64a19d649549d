import type { Observer } from "./observer.ts";

/** What a caller may ask for: the command line's long options in camelCase. Checked and completed in spec.ts. */

import type { LimitOptions } from "../rootfs/limits.ts";

/** Where a stream of the command leads. A number is a descriptor of ours. */
export type Stdio = "inherit" | "ignore" | "pipe" | number;

export interface ContainerOptions extends LimitOptions {
  /** Name shown by ps as pid 1's argument, and the default host name. Default "nsrun". */
  name?: string | undefined;
  /** A directory, a tar (.gz, .xz, .zst), "host", or undefined for busybox. */
  rootfs?: string | undefined;
  /** A static busybox for the default root. */
  busybox?: string | undefined;
  /** Write into the directory itself rather than into a throw-away layer. */
  rw?: boolean | undefined;
  /** The root cannot be written at all. */
  readOnly?: boolean | undefined;
  /** chroot(2) instead of pivot_root(2). */
  chroot?: boolean | undefined;
  /** sethostname(2). Default: the name. */
  hostname?: string | undefined;
  domainname?: string | undefined;
  /**
   * none: loopback only (default); host; veth: a pair with addresses; pasta: the host's network by pasta(1) or
   * slirp4netns(1), without privilege; ns:PATH: an existing namespace.
   */
  net?: string | undefined;
  /** Container's address for veth, e.g. 10.0.0.2/24. */
  ip?: string | undefined;
  /** Host's address for veth. */
  hostIp?: string | undefined;
  /** veth: the container's interface. Default "eth0". */
  ifname?: string | undefined;
  /** veth: default route's gateway inside; default the host's address, "none" for no route. */
  gateway?: string | undefined;
  /** pasta: [ADDR:]HOST:CONTAINER[/tcp|/udp], a port of the host that leads to one of the container. */
  publish?: string[] | undefined;
  /** Landlock rules (landlock(7)): ACCESS:PATH, connect:PORT, bind:PORT, scope:…, optional:…; see docs/design/0016-landlock.md. */
  landlock?: string[] | undefined;
  /** false: no namespaces at all and the caller's root; `landlock` is then what is left to hold the command. */
  namespaces?: boolean | undefined;
  /** Namespaces to keep from the caller. */
  share?: string[] | undefined;
  /** Namespaces to make new in addition to the default ones: user, time. */
  unshare?: string[] | undefined;
  /** NS=PATH or NS=PID. */
  join?: string[] | undefined;
  /** Seconds added to CLOCK_MONOTONIC in a new time namespace. */
  monotonic?: number | string | undefined;
  /** Seconds added to CLOCK_BOOTTIME in a new time namespace. */
  boottime?: number | string | undefined;
  /** SRC:DST[:ro,rro,nosuid,nodev,noexec,rbind,bind,idmap,noidmap,PROPAGATION] */
  volume?: string[] | undefined;
  /** PATH[:size=…,mode=…] */
  tmpfs?: string[] | undefined;
  /** type=bind|tmpfs|FSTYPE,src=…,dst=…,ro,… */
  mount?: string[] | undefined;
  /** KEY=VALUE, or KEY for the caller's value. */
  env?: string[] | Record<string, string> | undefined;
  envFile?: string[] | undefined;
  /** Working directory inside. Default "/". */
  cwd?: string | undefined;
  /** UID[:GID] or NAME[:GROUP] of the root's passwd. Default 0:0. */
  user?: string | undefined;
  /**
   * As root: auto (default), a free range of 65536 host ids; host, no user namespace: root inside is root outside; FIRST[:SIZE],
   * these host ids.
   */
  userns?: string | undefined;
  /** Lines of uid_map, CONTAINER:HOST[:SIZE]. As root they make a new user namespace. Default: see docs/design/0008-ids.md. */
  uidMap?: string[] | undefined;
  /** Lines of gid_map. As root the default is uidMap, and the other way round. */
  gidMap?: string[] | undefined;
  /** Capabilities besides the default eight, with or without CAP_, or "all". For another user than root: what it has at all. */
  capAdd?: string[] | undefined;
  /** Capabilities less than the default, or "all". */
  capDrop?: string[] | undefined;
  /** "default", "none", or a file with Docker's or OCI's JSON. */
  seccomp?: string | undefined;
  /** Set-id programs and file capabilities work inside (no_new_privs is off). */
  newPrivileges?: boolean | undefined;
  /** A session keyring of the container's own (default true). */
  newKeyring?: boolean | undefined;
  /** Paths of /proc and /sys that are hidden or read-only otherwise, or "all". */
  unmask?: string[] | undefined;
  /** NAME=SOFT[:HARD], "unlimited" for no limit. Default: nofile 1024:524288 as far as yours reach, core 0. */
  ulimit?: string[] | undefined;
  /** Directories of control groups to live in, as {@link Group.directories} of nsrun/cgroup has them. The library alone. */
  cgroup?: readonly string[] | undefined;
  /**
   * How many processes there may be in it, or "max". Default: 4096 where cgroup v2 gives a limit (as root, or delegated). Shell:
   * `echo N >pids.max`.
   */
  pidsLimit?: string | number | undefined;
  /** Of the new root: private, slave, shared, unbindable and their r… forms. */
  propagation?: string | undefined;
  /** nsrun's own pid 1 (default true); false: the command itself is pid 1, as in the article. */
  init?: boolean | undefined;
  /** A line about something slow, such as unpacking. Default: nothing. */
  say?: ((text: string) => void) | undefined;
  /**
   * Ends the container when it fires. Where its root is still being made (an archive unpacked, a busybox fetched), that is ended and
   * undone, and the promise is rejected with the signal's reason.
   */
  signal?: AbortSignal | undefined;
}

export interface RunOptions extends ContainerOptions {
  /** Default "ignore". */
  stdin?: Stdio | undefined;
  /** What the command reads from stdin, instead of `stdin`. */
  input?: string | Uint8Array | undefined;
  /** Default "pipe": collected into the result. */
  stdout?: Stdio | undefined;
  /** Default "pipe". */
  stderr?: Stdio | undefined;
  /**
   * A pseudo-terminal of the container's own in place of the streams that are "inherit": `true` for all of them, "auto" for those
   * that are terminals, which are put into raw mode until the end. Default false.
   */
  tty?: boolean | "auto" | undefined;
  /** Looks on while it starts: --timings, --step. */
  observer?: Observer | undefined;
}

export interface ExecOptions {
  env?: ContainerOptions["env"];
  cwd?: string | undefined;
  user?: string | undefined;
  stdin?: Stdio | undefined;
  input?: string | Uint8Array | undefined;
  stdout?: Stdio | undefined;
  stderr?: Stdio | undefined;
}
