/** Each kind of namespace, made and shown to be another: namespaces(7). */
import { appArmorHint, cloneHint } from "../container/refusals.ts";
import { AT_FDCWD, CLONE, O } from "../ffi/flags.ts";
import { type Call, call, KEPT, keep } from "./child.ts";
import { appArmorProfile } from "./knobs.ts";
import { asRoot, enter, fork, type Host, inChild, isolated, type Probe, userNamespace } from "./probe.ts";

const isPidOne = (): Call => call("be pid 1 inside", "getpid", [0, 0, 1], { exact: true });

/** One second on, for a child that is the namespace's first: time_namespaces(7). */
const offset = (): Call[] => {
  const text = Buffer.from("boottime 1 0\n");
  return [
    call("open the clock's offsets", "openat", [AT_FDCWD, "/proc/self/timens_offsets", O.O_WRONLY | O.O_CLOEXEC, 0], {
      store: true,
    }),
    call("write them", "write", [{ reg: true }, { bytes: text, text: "boottime 1 0" }, text.length], { exact: true }),
  ];
};

interface Kind {
  readonly name: string;
  readonly flag: number;
  /** What only a namespace of one's own allows. */
  readonly proof: readonly Call[];
  readonly lost: string;
  readonly main: boolean;
}

const KINDS: readonly Kind[] = [
  {
    name: "pid",
    flag: CLONE.CLONE_NEWPID,
    proof: fork([isPidOne()]),
    lost: "processes of their own; only with --share pid",
    main: true,
  },
  {
    name: "net",
    flag: CLONE.CLONE_NEWNET,
    proof: [],
    lost: "a network of its own; only with --net host",
    main: true,
  },
  { name: "mnt", flag: CLONE.CLONE_NEWNS, proof: [isolated()], lost: "a root of its own; only with --share mnt", main: true },
  {
    name: "uts",
    flag: CLONE.CLONE_NEWUTS,
    proof: [call("set a host name", "sethostname", ["nsrun-doctor", 12])],
    lost: "a host name of its own; only with --share uts",
    main: true,
  },
  { name: "ipc", flag: CLONE.CLONE_NEWIPC, proof: [], lost: "System V IPC of its own; only with --share ipc", main: true },
  {
    name: "cgroup",
    flag: CLONE.CLONE_NEWCGROUP,
    proof: [],
    lost: "a cgroup view of its own; only with --share cgroup",
    main: true,
  },
  {
    name: "time",
    flag: CLONE.CLONE_NEWTIME,
    proof: [...offset(), ...fork([])],
    lost: "--boottime and --monotonic",
    main: false,
  },
];

/** The remedy that the message of a refused start has, after its last colon. */
const remedyOf = (flag: number, code: string, host: Host): string | undefined =>
  cloneHint(host.admin ? flag : flag | CLONE.CLONE_NEWUSER, code)?.match(/sysctl [\w.]+=\S+/)?.[0];

const kindProbe = ({ name, flag, proof, lost, main }: Kind): Probe => ({
  name: `${name} namespace`,
  lost,
  main,
  needs: ({ admin }) => (admin ? [] : ["user namespace"]),
  attempt: (host) => inChild([...enter(host, flag), ...proof]),
  remedy: ({ code = "" }, host) => {
    const command = remedyOf(flag, code, host);
    return command && asRoot(command);
  },
});

/** The commands that lift what refuses user namespaces; the profile is Ubuntu's own way. */
function userRemedy(code: string): string | undefined {
  if (appArmorHint() !== undefined) return appArmorProfile();
  const hint = cloneHint(CLONE.CLONE_NEWUSER, code) ?? "";
  const sysctl = hint.match(/sysctl [\w.]+=\S+/)?.[0];
  return sysctl && asRoot(sysctl);
}

const user: Probe = {
  name: "user namespace",
  lost: "containers without root, and as root: only --userns host",
  main: true,
  // a map and a capability inside: AppArmor lets unshare(2) pass and takes the capabilities
  attempt: (host) => inChild([...userNamespace(host), call("have capabilities in it", "chroot", ["/"])]),
  remedy: ({ code = "" }) => userRemedy(code),
};

const joining: Probe = {
  name: "setns",
  lost: "--join, and commands in a running container",
  needs: ({ admin }) => (admin ? [] : ["user namespace"]),
  attempt: (host) =>
    inChild([
      ...enter(host, CLONE.CLONE_NEWUTS),
      call("open the own namespace", "openat", [AT_FDCWD, "/proc/self/ns/uts", O.O_RDONLY | O.O_CLOEXEC, 0], { store: true }),
      keep(),
      call("leave it", "unshare", [CLONE.CLONE_NEWUTS]),
      call("join it again", "setns", [KEPT, CLONE.CLONE_NEWUTS]),
    ]),
};

export const namespaceProbes: readonly Probe[] = [user, ...KINDS.map(kindProbe), joining];
