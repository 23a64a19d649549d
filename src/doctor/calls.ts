/** System calls that came late, and that a filter of an outer container may forbid. */
import { hasKeys } from "../container/hidden.ts";
import { AT_FDCWD, KEYCTL_JOIN_SESSION_KEYRING, O, PR, RESOLVE } from "../ffi/flags.ts";
import { sys } from "../ffi/syscall.ts";
import { type Call, call, KEPT, keep } from "./child.ts";
import { workplace } from "./mounts.ts";
import { asRoot, fork, type Host, inChild, ownMounts, type Probe } from "./probe.ts";

const EPERM = 1;
const EBADF = 9;
const EACCES = 13;
const ENOSYS = 38;
const P_PIDFD = 3;
const WEXITED = 4;
const F_GETFD = 1;

/** A call that must fail with `errno`: the third argument is what the result must equal. */
const mustFail = (
  label: string,
  name: Call["call"],
  [a, b]: readonly [Call["args"][number], Call["args"][number]],
  errno: number,
): Call => call(label, name, [a, b, -errno], { tolerate: errno, exact: true });

const noNewPrivs = call("give up new privileges", "prctl", [PR.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0]);

/** struct sock_filter: code, jt, jf, k; linux/filter.h, linux/seccomp.h. */
function filter(forbidden: number): Uint8Array {
  const program = new Uint8Array(32);
  const view = new DataView(program.buffer);
  const rows = [
    [0x20, 0, 0, 0], // load the call's number
    [0x15, 0, 1, forbidden], // is it this one?
    [0x06, 0, 0, 0x00050000 | EPERM], // SECCOMP_RET_ERRNO
    [0x06, 0, 0, 0x7fff0000], // SECCOMP_RET_ALLOW
  ];
  for (const [i, [code = 0, yes = 0, no = 0, k = 0]] of rows.entries()) {
    view.setUint16(i * 8, code, true);
    view.setUint8(i * 8 + 2, yes);
    view.setUint8(i * 8 + 3, no);
    view.setUint32(i * 8 + 4, k, true);
  }
  return program;
}

const GETPPID = process.arch === "arm64" ? 173 : 110;

const seccomp = (): Call[] => [
  noNewPrivs,
  call("install a filter", "seccomp", [1, 0, { words: [4, { bytes: filter(GETPPID), text: "filter" }], text: "{4, filter}" }]),
  mustFail("be refused by it", "getppid", [0, 0], EPERM),
];

/** LANDLOCK_ACCESS_FS_MAKE_DIR is forbidden everywhere, also on a tmpfs where we are root: linux/landlock.h. */
const landlock = (host: Host): Call[] => [
  ...ownMounts(host),
  ...workplace(),
  call("make a ruleset", "landlock_create_ruleset", [{ words: [128], text: "{MAKE_DIR}" }, 8, 0], { store: true }),
  keep(),
  noNewPrivs,
  call("obey it", "landlock_restrict_self", [KEPT, 0]),
  mustFail("be refused by it", "mkdirat", [AT_FDCWD, "directory"], EACCES),
];

const landlockVersion = (): string => {
  const version = sys("landlock_create_ruleset", null, 0, 1 /* LANDLOCK_CREATE_RULESET_VERSION */);
  return version > 0 ? `ABI ${version}` : "";
};

const needsKernel = (version: string): string => `a kernel from ${version} on; in a container: --security-opt seccomp=unconfined`;

export const callProbes: readonly Probe[] = [
  {
    name: "pidfd",
    lost: "signals that cannot hit a stranger: nothing runs without",
    main: true,
    attempt: () =>
      inChild([
        call("fork", "clone", [17, 0, 0, 0, 0], { jump: "open", store: true }),
        call("end", "exit_group", [0]), // a child that has ended can be signalled until it is waited for
        { ...call("pidfd_open", "pidfd_open", [{ reg: true }, 0], { store: true }), mark: "open" },
        call("pidfd_send_signal", "pidfd_send_signal", [{ reg: true }, 9, 0, 0]),
        call("wait by pidfd", "waitid", [P_PIDFD, { reg: true }, 0, WEXITED, 0]),
      ]),
    remedy: needsKernel("5.4"),
  },
  {
    name: "clone3",
    lost: "nothing: clone is used",
    attempt: () => {
      const args = { words: [0, 0, 0, 0, 17, 0, 0, 0], text: "{exit_signal=SIGCHLD}" };
      const [forked, ...rest] = fork([]);
      return inChild([{ ...forked!, call: "clone3", args: [args, 64] }, ...rest]);
    },
    remedy: needsKernel("5.3"),
  },
  {
    name: "close_range",
    lost: "a command that surely inherits nothing: nothing runs without",
    main: true,
    attempt: () =>
      inChild([
        call("open /", "openat", [AT_FDCWD, "/", O.O_PATH, 0], { store: true }),
        keep(),
        call("close it", "close_range", [KEPT, KEPT, 0]),
        mustFail("find it closed", "fcntl", [KEPT, F_GETFD], EBADF),
      ]),
    remedy: needsKernel("5.9"),
  },
  {
    name: "openat2",
    lost: "paths that cannot leave the root: nothing runs without",
    main: true,
    attempt: () => {
      const how = {
        words: [O.O_PATH | O.O_CLOEXEC, 0, RESOLVE.RESOLVE_IN_ROOT | RESOLVE.RESOLVE_NO_MAGICLINKS],
        text: "RESOLVE_IN_ROOT",
      };
      return inChild([call("open / as in a root", "openat2", [AT_FDCWD, "..", how, 24])]);
    },
    remedy: needsKernel("5.6"),
  },
  {
    name: "seccomp",
    lost: "the filter of system calls: only --seccomp none",
    main: true,
    attempt: () => inChild(seccomp()),
    remedy: "a kernel with CONFIG_SECCOMP_FILTER",
  },
  {
    name: "session keyring",
    lost: "a keyring of the container's own: only --no-new-keyring",
    main: true,
    // a kernel without keys has none to protect
    attempt: () =>
      inChild([call("join a new one", "keyctl", [KEYCTL_JOIN_SESSION_KEYRING, null], hasKeys() ? {} : { tolerate: ENOSYS })]),
    remedy: ({ code }) => (code === "EDQUOT" ? asRoot("sysctl kernel.keys.maxkeys=2000") : undefined),
  },
  {
    name: "Landlock",
    lost: "--landlock, --no-namespaces",
    needs: ["mnt namespace"],
    attempt: (host) => inChild(landlock(host), landlockVersion()),
    remedy: ({ code }) =>
      code === "EOPNOTSUPP" ? "the kernel's argument lsm=landlock,…" : "a kernel from 5.13 on with CONFIG_SECURITY_LANDLOCK",
  },
];
