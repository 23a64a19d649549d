/** Each defence as the text of the sources that makes it, and what stands in its place in a negative control. See weaken.ts. */
export type Edit = readonly [file: string, find: string, replace: string];

/** In place of a call: nothing is done. */
const NOTHING = '"getpid", []';
/** The image of the container's first program in a file of the host that stays there, as a runner's own executable does. */
const ON_DISK = `
  const { openSync, writeFileSync } = require("node:fs");
  const path = [process.env.NSRUN_TEST_RUNNERS, "nsrun-" + process.pid + "-" + performance.now()].join("/");
  writeFileSync(path, image, { mode: 0o777 });
  if (name) return openSync(path, "r");
`;
const SEALED_FILE = "export function sealedFile(name: string, image: Uint8Array): number {\n";

export const WEAKER = {
  // CVE-2019-5736
  "private memory file": [["ffi/vexec.ts", SEALED_FILE, SEALED_FILE + ON_DISK]],
  seals: [
    [
      "ffi/vexec.ts",
      'if (sys("fcntl", fd, F_ADD_SEALS, SEALS_EXEC) < 0 &&',
      'if (fd < 0 && sys("fcntl", fd, F_ADD_SEALS, SEALS_EXEC) < 0 &&',
    ],
  ],
  // CVE-2016-9962
  "not dumpable": [
    ["plan/security.ts", '"not to be traced", "prctl", [PR_SET_DUMPABLE, 0]', '"to be traced", "prctl", [PR_SET_DUMPABLE, 1]'],
  ],
  // CVE-2024-21626
  "descriptors closed": [
    [
      "plan/payload.ts",
      '"close all descriptors below the socket", "close_range", [3, slot("sock-1"), 0], {',
      `"", ${NOTHING}, {`,
    ],
    ["plan/payload.ts", '"close all descriptors above the procfs", "close_range", [slot("sock+2"), -1, 0]),', `"", ${NOTHING}),`],
  ],
  "descriptors are read back": [["plan/verify.ts", '"descriptors", [REG]),', `${NOTHING}),`]],
  // CVE-2017-5226: the stage's session is one of its own as well, and it hands it on
  "own session": [
    ["plan/payload.ts", '"a session of its own", "setsid", [], {', `"", ${NOTHING}, {`],
    ["plan/stage.ts", '"a session of its own", "setsid", [], {', `"", ${NOTHING}, {`],
  ],
  // CVE-2019-10063: in both runs the filter is compiled at the start, as the one that is stored was
  "filter compiled anew": [
    ["container/security.ts", 'if (given === "default" && plain) return {', 'if (given === "none" && plain) return {'],
  ],
  "32-bit arguments": [
    [
      "security/default-policy.ts",
      "op, value: BigInt(value), mask: INT });",
      "op, value: BigInt(value), mask: -1n & 0xffff_ffff_ffff_ffffn });",
    ],
  ],
  // AF_ALG, AF_VSOCK: in both runs the filter says what no kernel says of a family, so that its answer is known
  "families told apart": [
    ["security/default-policy.ts", "const EAFNOSUPPORT = RET.ERRNO | 97;", "const EAFNOSUPPORT = RET.ERRNO | 61;"],
  ],
  "families by ranges": [["security/default-policy.ts", "const FAMILIES = [[0, 11],", "const FAMILIES = [[0, 45],"]],
  // CVE-2025-31133
  "own null node": [
    ["plan/masks.ts", '[slot("dev"), "null"] : [AT_FDCWD, "/dev/null"]', '[slot("root"), "null"] : [slot("root"), "null"]'],
  ],
  // CVE-2025-52565: as it was until 0.1
  "terminal by descriptor": [
    ["plan/terminal.ts", "RESOLVE.RESOLVE_BENEATH | RESOLVE.RESOLVE_NO_SYMLINKS", "0"],
    [
      "plan/terminal.ts",
      '"open_tree", [slot("tty.slave"), "", CLONE]',
      '"open_tree", [AT_FDCWD, "pts/0", CLONE & ~AT.AT_EMPTY_PATH]',
    ],
  ],
  // CVE-2022-29162
  "nothing inheritable": [
    ["plan/security.ts", "readonly string[] => ambient(process);", "readonly string[] => permitted(process);"],
  ],
  // CVE-2014-8989
  "setgroups denied": [
    [
      "plan/identity.ts",
      ': writeProc("setgroups", "deny", "without privilege the kernel wants this before gid_map (CVE-2014-8989)")',
      ": []",
    ],
  ],
  "groups are read back": [
    [
      "plan/verify.ts",
      "process.setgroups ? [groupsLine(process.groups)] : [];",
      "process.args.length === 0 ? [groupsLine([])] : [];",
    ],
  ],
  "groups cleared": [["plan/identity.ts", '"set the groups", "setgroups", [groups.length,', '"", "getpid", [groups.length,']],
  // a pid used again
  "signals by pidfd": [
    ["container/container.ts", 'sys("pidfd_send_signal", this.#pidfd, signal, null, 0);', 'sys("kill", this.pid, signal);'],
  ],
  // death of the supervisor
  "supervisor watched": [["ffi/watch.c", "w[1].fd = orphaned ? -1 : sock;", "w[1].fd = -1;"]],
  "parent death signal": [
    [
      "plan/stage.ts",
      '"prctl", [PR.PR_SET_PDEATHSIG, 9], why === undefined',
      '"prctl", [PR.PR_SET_PDEATHSIG, 0], why === undefined',
    ],
  ],
  "orphans adopted": [["plan/stage.ts", '"prctl", [PR.PR_SET_CHILD_SUBREAPER, 1]', '"prctl", [PR.PR_SET_CHILD_SUBREAPER, 0]']],
  "guarded signal": [["ffi/checks.c", "0, 8, 0) == 0 ? 0 : -3; /* ESRCH */", "0, 8, 0) == 0 ? 0 : 0;"]],
  // a probe taken for "not supported"
  "a filter that fails is fatal": [
    [
      "plan/security.ts",
      "[SECCOMP_SET_MODE_FILTER, flags, program]);",
      "[SECCOMP_SET_MODE_FILTER, flags, program], { soft: true });",
    ],
  ],
  "a filter is read back": [["plan/verify.ts", "if (!seccomp?.own) return [];", "if (!seccomp || seccomp.own) return [];"]],
  // standard streams: what a runner did
  "streams not chowned": [
    [
      "plan/payload.ts",
      "    ...dup,\n",
      '    ...dup,\n    ...[0, 1, 2].map((fd) => step("payload", "", "fchownat", [fd, "", process.uid, process.gid, 0x1000])),\n',
    ],
  ],
  // integers
  "strict user": [
    [
      "rootfs/accounts.ts",
      "return undefined;\n  return Number(text);",
      "return Number.isNaN(Number.parseInt(text, 10)) ? undefined : Number.parseInt(text, 10);\n  return Number(text);",
    ],
  ],
  "strict map": [
    [
      "ids/map.ts",
      "if (code < 48 || code > 57) return undefined;",
      "if (code < 48 || code > 57) return Number.parseInt(text, 10);",
    ],
  ],
  "strict range": [["ids/auto.ts", "/^([0-9]{1,10})(?::([0-9]{1,10}))?$/", "/^([0-9]+)(?::([0-9]+))?/"]],
  // the policy by default
  umask: [["plan/payload.ts", '"umask", [0o22]', '"umask", [0]']],
  "signals reset": [["plan/stage.ts", '"reset_signals", [zeros("SIG_DFL")], {', `${NOTHING}, {`]],
  "mask reset": [["plan/payload.ts", '"unblock all signals", "rt_sigprocmask", [2', '"", "rt_sigprocmask", [0']],
  "environment from scratch": [
    [
      "container/process.ts",
      "const term = process.env.TERM === undefined ?",
      "const term = process.env.TERM !== undefined ? Object.entries(process.env).map((pair) => pair.join('=')) : process.env.TERM === undefined ?",
    ],
  ],
  limits: [
    ["container/process.ts", "if (!options.ulimit?.length) return defaultLimits();", "if (!options.ulimit?.length) return [];"],
  ],
  "flags of proc": [["plan/masks.ts", 'newMount("proc", "proc", KERNEL_FS,', 'newMount("proc", "proc", 0,']],
  "root without devices": [
    ["plan/root.ts", '      MOUNT_ATTR.MOUNT_ATTR_NODEV,\n      "root",', '      0,\n      "root",'],
    ["plan/overlay.ts", '"overlay", MS.MS_NODEV, data]', '"overlay", 0, data]'],
  ],
} as const satisfies Readonly<Record<string, readonly Edit[]>>;

export type Row = keyof typeof WEAKER;
