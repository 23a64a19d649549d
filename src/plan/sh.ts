/**
 * `--plan=sh`: a script of unshare, mount, ip, nsenter and setpriv that makes the same container. To learn from, and it
 * runs: docs/design/0009-plan-shown.md says where it is only near.
 */
import { NsrunError } from "../errors.ts";
import { betweenLines } from "./between-sh.ts";
import { buildPlan, cloneFlags } from "./build.ts";
import { stageSys } from "./masks.ts";
import { chrootCommand, heldCommand, keyringLines, missing, PIVOT, runLines, SWAP } from "./sh-command.ts";
import { Shell } from "./sh-steps.ts";
import { ALSO, namespaceWords, word } from "./sh-words.ts";
import { type ContainerSpec, NAMESPACE_FLAG, NAMESPACES } from "./spec.ts";
import type { Plan, SyscallStep } from "./step.ts";

const lane = (plan: Plan, name: string): SyscallStep[] => plan.child.filter((step) => step.lane === name);

/** `mkdir -p a` and `mkdir -p b` on two lines are one. */
function joined(lines: readonly string[]): string[] {
  const out: string[] = [];
  for (const line of lines) {
    const [last = ""] = out.slice(-1);
    if (line.startsWith("mkdir -p ") && last.startsWith("mkdir -p ")) out[out.length - 1] = `${last} ${line.slice(9)}`;
    else out.push(line);
  }
  return out;
}

/** `name() { … }` */
const define = (name: string, lines: readonly string[]): string[] => [
  `${name}() {`,
  ...joined(lines).map((line) => `  ${line}`),
  "}",
];

/** `exec COMMAND… sh -euc "$steps…" …`: the next function, in what COMMAND makes. */
const enter = (commands: readonly string[], next: string): string =>
  `${commands.length > 0 ? `${commands.join(" ")} ` : ""}sh -euc "$steps\n${next}" sh`;

/** Joined namespaces, by nsenter(1). */
function joinWords(spec: ContainerSpec): string[] {
  const joined = NAMESPACES.flatMap((ns) => {
    const use = spec.namespaces[ns];
    return use.mode === "join" ? [`--${ns === "mnt" ? "mount" : ns}=${word(use.path)}`] : [];
  });
  return joined.length > 0 ? [`nsenter ${joined.join(" ")}`] : [];
}

/** unshare(1) with everything new but what `without` names. */
function unshareWords(spec: ContainerSpec, without: number): string[] {
  const time = spec.namespaces.time.mode === "new" ? NAMESPACE_FLAG.time : 0;
  const flags = (cloneFlags(spec) | time) & ~without;
  if (flags === 0) return [];
  const { monotonic, boottime } = spec.timeOffsets;
  const options = [
    ...namespaceWords(flags).map((name) => `--${name}`),
    ...(flags & NAMESPACE_FLAG.pid || time ? ["--fork", "--kill-child"] : []),
    ...(time ? [`--monotonic ${monotonic}`, `--boottime ${boottime}`] : []),
    ...(flags & NAMESPACE_FLAG.mnt ? ["--propagation private"] : []),
    ...(flags & NAMESPACE_FLAG.user ? ["--map-root-user"] : []),
  ];
  return [`unshare ${options.join(" ")}`];
}

/** One id, oneself, and no setgroups(2): what unshare(1) can map without help. */
function isSimple({ idMaps }: ContainerSpec): boolean {
  if (!idMaps || idMaps.setgroups || idMaps.writers) return false;
  return [idMaps.uid, idMaps.gid].every((maps) => maps.length === 1 && maps[0]!.containerId === 0 && maps[0]!.size === 1);
}

/** What the list does in the host's tree, then to the command, and what the swap of the roots is followed by. */
function insideLines(spec: ContainerSpec, plan: Plan): { inside: string[]; swapped: string[] } {
  const shell = new Shell(spec.root?.anchor ?? "/mnt");
  const steps = [...plan.prepare, ...lane(plan, "container")].filter((step) => step.call !== "clone");
  const change = steps.findIndex((step) => step.call === "pivot_root" || step.call === "chroot");
  const end = change < 0 ? steps.length : change;
  const isAttribute = (step: SyscallStep) => step.call === "mount_setattr"; // can be had before, when there is findmnt(8)
  const take = (list: readonly SyscallStep[]): string[] => {
    for (const step of list) shell.step(step);
    return shell.lines.splice(0);
  };
  const made = take([...steps.slice(0, end), ...steps.slice(end).filter(isAttribute)]);
  const raised = take(lane(plan, "stage").filter((step) => step.call === "prlimit64"));
  shell.rooted();
  const rest = take(steps.slice(end).filter((step) => step.call !== "chdir" && !isAttribute(step)));
  const inside = ["umask 022", ...made, ...raised, ...keyringLines(spec)];
  if (!spec.root) return { inside: [...inside, ...runLines(spec, heldCommand(spec))], swapped: [] };
  if (spec.root.chroot) return { inside: [...inside, ...rest, ...runLines(spec, chrootCommand(spec))], swapped: [] };
  return { inside: [...inside, ...SWAP, ...runLines(spec, heldCommand(spec))], swapped: [...PIVOT, ...rest] };
}

/** The program that carries the packets, where there is one: it begins when the namespaces are there, and says when it is ready. */
function uplinkLines(spec: ContainerSpec): string[] {
  if (spec.net.mode !== "pasta") return [];
  if (spec.net.hands !== "net")
    throw new NsrunError("--plan=sh: slirp4netns is told its ports over a socket, which a shell cannot");
  const args = spec.net.args.slice(1).map(word).join(" ");
  return [
    'mkfifo "$dir/ready"',
    `${word(spec.net.program)} ${args} <"/proc/$pid/ns/net" >"$dir/ready" &`,
    "uplink=$!",
    'head -c 1 "$dir/ready" >/dev/null',
  ];
}

/** What has to be done from outside, while the container's first process waits for it. */
function waiting(spec: ContainerSpec, plan: Plan, first: number): string[] {
  const uplink = uplinkLines(spec);
  const flags = namespaceWords(cloneFlags(spec) & first).map((name) => `--${name}`);
  return [
    "dir=$(mktemp -d)",
    "export dir",
    'mkfifo "$dir/pid" "$dir/go"',
    `trap 'rm -r "$dir"' EXIT`,
    'exec 3<&0 4<>"$dir/pid"', // 3: a command in the background would have /dev/null; 4: open, so that nobody waits to open it
    `{ ${enter([...joinWords(spec), `unshare ${flags.join(" ")}`], "begin")} <&3 3<&- 4<&- || { code=$?; echo 0 >&4; exit "$code"; }; } &`,
    "container=$!",
    "read -r pid <&4",
    '[ "$pid" != 0 ] || wait "$container"',
    ...betweenLines(plan.between),
    ...uplink,
    'echo go >"$dir/go"',
    "code=0",
    'wait "$container" || code=$?',
    ...(uplink.length > 0 ? ['kill "$uplink"'] : []),
    'exit "$code"',
  ];
}

function beginLines(spec: ContainerSpec, first: number): string[] {
  const user = spec.namespaces.user.mode === "new";
  const groups = spec.idMaps?.setgroups ? "--clear-groups" : "--keep-groups";
  const become = user ? [`setpriv --reuid 0 --regid 0 ${groups}`] : [];
  return ['echo $$ >"$dir/pid"', 'read -r _ <"$dir/go"', `exec ${enter([...become, ...unshareWords(spec, first)], "inside")}`];
}

/** The script. Throws NsrunError for a container whose root is in nsrun's memory only. */
export function planScript(spec: ContainerSpec): string {
  if (typeof spec.root?.lower === "object")
    throw new NsrunError("--plan=sh needs a root that a shell can find", { hint: "name one with --rootfs DIR" });
  const inside = spec.idMaps?.uid.find((map) => map.containerId === 0)?.hostId;
  if (spec.privileged && spec.namespaces.user.mode === "new" && inside !== 0)
    throw new NsrunError("--plan=sh: files whose owners are mapped for another root inside have no command", {
      hint: "without a user namespace (--userns host), or as an ordinary user, there is a script",
    });
  if (stageSys(spec))
    throw new NsrunError("--plan=sh: the /sys of a joined network namespace, made for a new user namespace, has no command", {
      hint: "without a user namespace (--userns host), or in one that is joined, there is a script",
    });
  // by paths: descriptors of mounts are nothing a shell could hold. In a user namespace mknod(2) and trusted xattrs are refused
  const own = spec.namespaces.user.mode === "new";
  // and the terminal is the caller's
  const process = { ...spec.process, terminal: undefined, stdio: ["inherit", "inherit", "inherit"] as const };
  const plan = buildPlan({ ...spec, cgroup: [], process, privileged: spec.privileged && !own }, "paths");
  const { inside: steps, swapped } = insideLines(spec, plan);
  const first =
    (own ? NAMESPACE_FLAG.user : 0) | (spec.net.mode === "veth" || spec.net.mode === "pasta" ? NAMESPACE_FLAG.net : 0);
  const waits = plan.waits && !(isSimple(spec) && spec.net.mode !== "pasta");
  const body = waits ? waiting(spec, plan, first) : [`exec ${enter([...joinWords(spec), ...unshareWords(spec, 0)], "inside")}`];
  const functions = [
    "nsenter=$(command -v nsenter)",
    "setpriv=$(command -v setpriv)",
    "prlimit=$(command -v prlimit)",
    "sh=$(command -v sh)",
    ...(steps.some((line) => line.startsWith("also ")) ? ALSO : []),
    ...(waits ? define("begin", beginLines(spec, first)) : []),
    ...define("inside", steps),
    ...(swapped.length > 0 ? define("swapped", swapped) : []),
  ];
  let end = "END";
  while (functions.some((line) => line.split("\n").includes(end))) end += "_";
  return [
    "#!/bin/sh",
    "# by nsrun --plan=sh: the same container by util-linux (2.38), coreutils (8.31) and iproute2.",
    ...missing(spec).map((what) => `# No command for: ${what}.`),
    "set -eu",
    "PATH=$PATH:/usr/sbin:/sbin",
    `steps=$(cat <<'${end}'`,
    ...functions,
    end,
    ")",
    "export steps",
    ...body,
    "",
  ].join("\n");
}
