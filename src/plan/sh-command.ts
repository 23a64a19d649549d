/** The command of a script: what it gives up before it begins, and how it comes into the new root. */
import { word } from "./sh-words.ts";
import type { ContainerSpec, ProcessSpec } from "./spec.ts";

/** What util-linux and coreutils have no command for. */
export function missing({ process, group, cgroup = [] }: ContainerSpec): string[] {
  return [
    ...(group ? [`at most ${group.pids} processes (systemd-run --scope -p TasksMax=${group.pids} sh SCRIPT)`] : []),
    ...(cgroup.length > 0 ? [`the control groups, made when the container starts: ${cgroup.join(" ")}`] : []),
    "closing whatever descriptors above 2 its caller has open",
    ...(process.seccomp ? ["the system call filter, seccomp(2)"] : []),
    ...(process.landlock ? ["the rules of --landlock, landlock(7)"] : []),
    ...(process.newKeyring ? ["the session keyring, where there is no keyctl(1)"] : []),
  ];
}

/** keyctl(1)'s new_session is its caller's, not its own. */
export const keyringLines = ({ process }: ContainerSpec): string[] =>
  process.newKeyring ? ["! command -v keyctl >/dev/null || keyctl new_session >/dev/null"] : [];

/** `-all,+chown,+kill`, as setpriv(1) wants a set. */
const capabilities = (names: readonly string[]): string =>
  ["-all", ...names.map((name) => `+${name.slice(4).toLowerCase()}`)].join(",");

/** env(1) with the command's variables. A command in the background of a shell ignores SIGINT and SIGQUIT, and so would all that comes from it. */
const variables = ({ env }: ProcessSpec): string => `env --default-signal -i ${env.map(word).join(" ")}`;

/** setpriv(1): user, groups, capabilities. `more`: besides those of the bounding set. */
function privileges(
  { uid, gid, groups, setgroups, ...process }: ProcessSpec,
  ids: boolean,
  more: readonly string[] = [],
): string {
  const { bounding, ambient } = process.capabilities;
  const group = !setgroups ? "--keep-groups" : groups.length > 0 ? `--groups ${groups.join(",")}` : "--clear-groups";
  const inherited = uid === 0 ? [] : ambient;
  return [
    '"$setpriv"',
    ...(ids ? [`--reuid ${uid} --regid ${gid} ${group}`] : []),
    ...(bounding ? [`--bounding-set=${capabilities([...bounding, ...more])}`] : []),
    `--inh-caps=${capabilities(inherited)}`,
    ...(inherited.length > 0 ? [`--ambient-caps=${capabilities(inherited)}`] : []),
    ...(process.noNewPrivileges || process.landlock ? ["--no-new-privs"] : []),
  ].join(" ");
}

type Limit = ProcessSpec["rlimits"][number];

const value = (limit: number): string => (limit === Number.POSITIVE_INFINITY ? "unlimited" : String(limit));
/** prlimit(1)'s options. */
const limitWords = (limits: readonly Limit[]): string =>
  limits.map(({ name, soft, hard }) => ` --${name}=${value(soft)}:${value(hard)}`).join("");

/** A shell's own variables are not the command's, unless they are. */
function forget(env: readonly string[]): string[] {
  const own = ["PWD", "OLDPWD"];
  const kept = env.filter((entry) => own.includes(entry.split("=")[0]!));
  return [`unset ${own.join(" ")}`, ...kept.map((entry) => `export ${word(entry)}`)];
}

/**
 * The command's shell has its privileges already, and stands in the old root; pivot_root(2) moves it to the new one, where it
 * needs no program but the command's. It limits itself when nothing has to be started any more, and its descriptors when none is needed.
 */
export function heldCommand({ root, process }: ContainerSpec): string {
  const { args, env, cwd, rlimits } = process;
  const isFiles = ({ name }: Limit): boolean => name === "nofile";
  const others = limitWords(rlimits.filter((limit) => !isFiles(limit)));
  const lines = [
    ...(others === "" ? [] : [`"$0" --pid $$${others}`]),
    ...(root && !root.chroot ? ["echo >&7; exec 7>&-", 'read -r code <&8; [ "$code" = 0 ] || exit "$code"; exec 8<&-'] : []),
    ...(cwd === undefined ? [] : [`cd ${word(cwd)}`]),
    ...forget(env),
    ...rlimits.filter(isFiles).flatMap(({ soft, hard }) => [`ulimit -Sn ${value(soft)}`, `ulimit -Hn ${value(hard)}`]),
    'exec "$@"',
  ];
  return `${variables(process)} ${privileges(process, true)} "$sh" -ec ${word(lines.join("; "))} "$prlimit" ${args.map(word).join(" ")}`;
}

/** chroot(2) moves its caller only, who has CAP_SYS_CHROOT for that: the command keeps it. */
export function chrootCommand({ process }: ContainerSpec): string {
  const { args, cwd, uid, gid, setgroups, rlimits } = process;
  const limited = rlimits.length > 0 ? `"$prlimit"${limitWords(rlimits)} ` : "";
  const ids = [...(setgroups || gid !== 0 ? [`--setgid ${gid}`] : []), ...(setgroups || uid !== 0 ? [`--setuid ${uid}`] : [])];
  const enter = ['"$nsenter"', "--root=.", `--wd=${word(`.${cwd ?? ""}`)}`, ...ids, ...args.map(word)].join(" ");
  return `${variables(process)} ${privileges(process, false, ["CAP_SYS_CHROOT"])} ${limited}${enter}`;
}

/** Runs it as a child of a shell that is pid 1, or in its place. */
export function runLines(spec: ContainerSpec, command: string): string[] {
  const whole = `${spec.process.terminal ? "" : "setsid "}${command}`;
  return spec.process.init && spec.namespaces.pid.mode === "new"
    ? ["code=0", `${whole} || code=$?`, 'exit "$code"']
    : [`exec ${whole}`];
}

/**
 * After pivot_root(2) a shell would have no programs left to detach the old root with: so another one does it, which stands in a
 * second view of the host's tree. It waits until the command's shell is loaded, and that one until the roots are swapped.
 */
export const SWAP = [
  "gate=$(mktemp -d)",
  'mkfifo "$gate/ready" "$gate/go"',
  'exec 7<>"$gate/ready" 8<>"$gate/go"', // open for both, so that nobody waits to open it
  'exec 6<"$gate/ready" 7>"$gate/ready"', // the end of all writers is the end of who waits
  'rm -r "$gate"',
  "mount --rbind / /sys",
  '"$nsenter" --root=/sys --wd=. sh -euc "$steps\nswapped" sh 7>&- 9</ &',
  "exec 6<&-",
];
export const PIVOT = [
  `trap 'echo "$?" >&8' EXIT`,
  "read -r _ <&6",
  '"$nsenter" --root=proc/self/fd/9 --wd=. pivot_root . .',
  "umount -c -l .",
];
