/** The options of `nsrun run`: one table from which the parser, the help, the completions and the man page are made. */
export interface Option {
  /** Long name; the field of the options is the same in camelCase. */
  readonly name: string;
  readonly short?: string;
  /**
   * What follows the option; without it the option is a switch. Words in lower case are meant literally, others stand for
   * something: values.ts says which can be completed, by this very text.
   */
  readonly value?: string;
  /** A switch that may have one of these values, as `--NAME=VALUE` only; without one it is the first. */
  readonly choices?: readonly string[];
  /** May be given more than once. */
  readonly many?: true;
  /** Of two the second would be lost: an error. For the others the last one counts, so that an alias can be overruled. */
  readonly once?: true;
  /** `--no-NAME` is what the help shows; "too": both are understood, and NAME is shown. */
  readonly negative?: true | "too";
  /** The value is a comma-separated list. */
  readonly list?: true;
  readonly help: string;
  readonly group: string;
}

const root = "Root file system";
const archive = "Limits of an archive";
const net = "Network";
const ns = "Namespaces";
const mnt = "Mounts";
const proc = "Process";
const ids = "Identity";
const security = "Security";
const see = "Looking";

const make = (): Option[] => [
  {
    group: root,
    name: "rootfs",
    value: "DIR|TAR|host",
    help: "directory, archive (.tar, .gz, .xz, .zst) or the host's own root; default: busybox",
  },
  { group: root, name: "busybox", value: "FILE", help: "a static busybox for the default root ($NSRUN_BUSYBOX)" },
  { group: archive, name: "max-size", value: "SIZE", help: "bytes that an archive may unpack to (k m g t); default 16g" },
  { group: archive, name: "max-entries", value: "N", help: "files and directories an archive may have; default 1000000" },
  { group: archive, name: "max-depth", value: "N", help: "components a name in an archive may have; default 128" },
  { group: archive, name: "max-path", value: "N", help: "bytes a name in an archive may have; default 4096" },
  { group: archive, name: "max-ratio", value: "N", help: "bytes out for each compressed byte of an archive; default 1000" },
  { group: root, name: "rw", help: "write into the directory itself, not into a throw-away layer" },
  { group: root, name: "read-only", help: "nothing in the root can be written" },
  { group: root, name: "chroot", help: "chroot as in the article, rather than pivot_root" },
  { group: ns, name: "share", value: "NS,…", many: true, help: "keep the caller's (pid net mnt uts ipc user cgroup time)" },
  { group: ns, name: "unshare", value: "NS,…", many: true, help: "make new, besides the default ones: user, time" },
  { group: ns, name: "join", value: "NS=PATH|PID", many: true, help: "enter an existing one" },
  { group: ns, name: "monotonic", value: "S", help: "new time namespace, CLOCK_MONOTONIC moved by S seconds" },
  { group: ns, name: "boottime", value: "S", help: "new time namespace, CLOCK_BOOTTIME moved by S seconds" },
  { group: ns, name: "hostname", value: "NAME", help: "host name inside; default: the container's name" },
  { group: ns, name: "domainname", value: "NAME", help: "NIS domain name inside" },
  { group: net, name: "net", value: "none|host|veth|pasta|ns:PATH", help: "default none: loopback only" },
  {
    group: net,
    name: "publish",
    short: "p",
    value: "[ADDR:]HOST:CONTAINER[/tcp|/udp]",
    many: true,
    help: "pasta: a port of the host leads to one of the container",
  },
  {
    group: net,
    name: "ip",
    value: "CIDR",
    once: true,
    help: "veth: the container's address; default 10.0.0.2/24 or the next free net",
  },
  {
    group: net,
    name: "host-ip",
    value: "CIDR",
    once: true,
    help: "veth: the host's address; default 10.0.0.1/24 or the next free net",
  },
  {
    group: net,
    name: "gateway",
    value: "ADDR|none",
    once: true,
    help: "veth: default route inside; default: the host's address",
  },
  { group: net, name: "ifname", value: "NAME", help: "veth: the container's interface; default eth0" },
  {
    group: mnt,
    name: "volume",
    short: "v",
    value: "SRC:DST[:OPT,…]",
    many: true,
    help: "bind a file or directory (ro rro nosuid nodev noexec bind noidmap, propagation)",
  },
  { group: mnt, name: "tmpfs", value: "PATH[:OPT,…]", many: true, help: "an empty tmpfs (size=, mode=, …)" },
  {
    group: mnt,
    name: "mount",
    value: "KEY[=VALUE],…",
    many: true,
    help: "type=bind|tmpfs|…,src=…,dst=…, and mount(8)'s options; proc, sysfs: with --unmask all",
  },
  {
    group: mnt,
    name: "propagation",
    value: "TYPE",
    help: "of the new root: private slave shared unbindable, or with r in front",
  },
  {
    group: proc,
    name: "env",
    short: "e",
    value: "KEY[=VALUE]",
    many: true,
    help: "set a variable; KEY alone takes the caller's value",
  },
  { group: proc, name: "env-file", value: "FILE", many: true, help: "variables from a file, one a line" },
  { group: proc, name: "cwd", value: "DIR", help: "working directory inside; default /" },
  {
    group: ids,
    name: "user",
    short: "u",
    value: "UID[:GID]",
    help: "numbers, or names of the root's /etc/passwd and /etc/group",
  },
  {
    group: ids,
    name: "userns",
    value: "auto|host|FIRST[:SIZE]",
    help: "as root: host ids for those inside; default auto: a free range. host: none, root inside is root outside",
  },
  {
    group: ids,
    name: "uid-map",
    value: "CONTAINER:HOST[:SIZE]",
    many: true,
    help: "map user ids in a new user namespace; default without root: 0 to you, 1… to your range in /etc/subuid",
  },
  {
    group: ids,
    name: "gid-map",
    value: "CONTAINER:HOST[:SIZE]",
    many: true,
    help: "the same for groups and /etc/subgid; default as root: the map of the users",
  },
  {
    group: security,
    name: "landlock",
    value: "RULE",
    many: true,
    help: "the command reaches no more than ro|rx|rw|rwx|dev:PATH, connect|bind:PORT,…|none|any; scope:…, optional:…",
  },
  {
    group: security,
    name: "namespaces",
    negative: true,
    help: "the caller's namespaces and root, held by --landlock alone: weaker, for machines that forbid namespaces",
  },
  { group: proc, name: "ulimit", value: "NAME=SOFT[:HARD]", many: true, help: "resource limit, as prlimit(1) names it" },
  {
    group: security,
    name: "cap-add",
    value: "CAP,…",
    many: true,
    help: "capabilities besides the default ones, or all; for another user than root: what it has at all",
  },
  { group: security, name: "cap-drop", value: "CAP,…", many: true, help: "capabilities less than by default, or all" },
  {
    group: security,
    name: "seccomp",
    value: "default|none|FILE",
    help: "which system calls are allowed; FILE: Docker's or OCI's JSON (see: nsrun seccomp dump)",
  },
  { group: security, name: "new-privileges", negative: "too", help: "set-id programs and file capabilities work inside" },
  { group: security, name: "new-keyring", negative: true, help: "keep the caller's session keyring" },
  {
    group: security,
    name: "unmask",
    value: "PATH|all",
    many: true,
    help: "leave as it is what is hidden or read-only otherwise: a path of /proc or /sys, /dev, the root's own /tmp or /run",
  },
  { group: proc, name: "name", value: "NAME", help: "the container's name; default nsrun" },
  {
    group: proc,
    name: "pids-limit",
    value: "N|max",
    help: "at most N processes; default 4096 where cgroup v2 gives a limit",
  },
  {
    group: proc,
    name: "tty",
    short: "t",
    help: "a terminal of the container's own; default: for those of stdin, stdout, stderr that are terminals",
  },
  { group: proc, name: "interactive", short: "i", help: "without -t: the caller's streams as they are, terminals too" },
  {
    group: proc,
    name: "stop-timeout",
    value: "S",
    help: "seconds from SIGTERM or SIGHUP to SIGKILL for all; default 10",
  },
  {
    group: see,
    name: "plan",
    choices: ["text", "verbose", "json", "sh", "mermaid", "oci"],
    help: "print what would be done, step by step, and do nothing",
  },
  { group: see, name: "verbose", help: "each step of the plan with its reason and man page (also -v before -- or an option)" },
  { group: see, name: "timings", choices: ["text", "json"], help: "after the run: how long each step took, on stderr" },
  { group: see, name: "step", help: "stop before each step: Enter goes on, s opens a shell in the half-made container, q ends" },
  { group: proc, name: "init", negative: true, help: "the command itself is pid 1; nsrun's init does not reap for it" },
];

let made: readonly Option[] | undefined;
/** Made when an option is given: the table costs a start without any 0.15 ms. */
export const runOptions = (): readonly Option[] => {
  made ??= make();
  return made;
};

/** As it is written: the name, or its negation where that is the one to be shown. */
export const longOption = ({ name, negative }: Option): string => `--${negative === true ? "no-" : ""}${name}`;

/** Those of every command, and of none. */
export const HELP: Option = { group: "Other", name: "help", short: "h", help: "this text" };
export const VERSION: Option = { group: "Other", name: "version", short: "V", help: "version of nsrun, Bun and the kernel" };

export const ERRORS: Option & { readonly leading: true } = {
  group: "Other",
  name: "errors",
  value: "json",
  leading: true,
  help: "before the command: an error is one line of JSON on stderr (docs/errors.md)",
};

/** Options of nsrun itself; those with `leading` stand before the command's name, the others instead of it. */
export const PROGRAM_OPTIONS: readonly (Option & { readonly leading?: true })[] = [ERRORS, HELP, VERSION];

/** `read-only` → `readOnly` */
export const fieldOf = (name: string): string => name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
