/** The default policy says what SECURITY.md promises, and the filter that is stored is the one that it compiles to. */
import { describe, expect, test } from "bun:test";
import { ARCHES, syscallNumber } from "../../src/ffi/abi.ts";
import { unistd } from "../../src/ffi/unistd.ts";
import { AUDIT_ARCH, fromBytes, RET } from "../../src/security/bpf.ts";
import { compile, filterText } from "../../src/security/compile.ts";
import { DEFAULT_FILTER, FILTER_CAPABILITIES, INIT_FILTER } from "../../src/security/default-filter.ts";
import { ALLOWED, BY_CAPABILITY, defaultPolicy, initPolicy, REFUSED } from "../../src/security/default-policy.ts";
import { DEFAULT_CAPABILITIES } from "../../src/security/defaults.ts";
import { actionText } from "../../src/security/disassemble.ts";
import { run } from "./bpf.ts";

const NONE = new Set<string>();

describe.each([...ARCHES])("%s", (arch) => {
  test("the stored filters are what the compiler makes: else run scripts/default-filter.ts", () => {
    expect(DEFAULT_FILTER[arch]).toBe(filterText(compile(defaultPolicy(arch, new Set(DEFAULT_CAPABILITIES)), arch)));
    expect(INIT_FILTER[arch]).toBe(filterText(compile(initPolicy(arch), arch)));
    expect(FILTER_CAPABILITIES).toEqual(Object.keys(BY_CAPABILITY));
    expect(DEFAULT_CAPABILITIES.filter((name) => FILTER_CAPABILITIES.includes(name))).toEqual([]);
  });

  /** The answer of the stored filter, in words. */
  const answer = (name: string, ...args: bigint[]): string => {
    const nr = unistd(arch).get(name);
    if (nr === undefined) throw new Error(`${name} is not there on ${arch}`);
    const filter = fromBytes(Buffer.from(DEFAULT_FILTER[arch], "base64"));
    return actionText(run(filter, { nr, arch: AUDIT_ARCH[arch], args }).action);
  };
  const [EPERM, ENOSYS, NO_FAMILY] = ["ERRNO(1 EPERM)", "ERRNO(38 ENOSYS)", "ERRNO(97 EAFNOSUPPORT)"];

  const refused = `mount umount2 open_tree open_tree_attr move_mount fsopen fsconfig fsmount fspick mount_setattr pivot_root chroot setns
    io_uring_setup io_uring_enter io_uring_register userfaultfd bpf perf_event_open keyctl add_key request_key kexec_load
    kexec_file_load init_module finit_module delete_module swapon swapoff reboot acct syslog settimeofday clock_settime quotactl
    open_by_handle_at sethostname setdomainname nfsservctl kcmp pidfd_getfd`;
  test.each(refused.split(/\s+/))("%s is refused with EPERM", (name) => expect(answer(name)).toBe(EPERM));

  test("clone3 answers ENOSYS, so that libcs fall back to clone; so do numbers that nobody knows", () => {
    expect(answer("clone3")).toBe(ENOSYS);
    const filter = fromBytes(Buffer.from(DEFAULT_FILTER[arch], "base64"));
    for (const nr of [470, 600, 0x3fffffff])
      expect(actionText(run(filter, { nr, arch: AUDIT_ARCH[arch], args: [] }).action)).toBe(ENOSYS);
  });

  test("no new namespace by clone or unshare, whatever is in the high words", () => {
    const SIGCHLD = 17n;
    expect(answer("clone", SIGCHLD)).toBe("ALLOW");
    expect(answer("clone", 0x3d0f00n)).toBe("ALLOW"); // a thread of glibc
    for (const flag of [0x20000n, 0x2000000n, 0x4000000n, 0x8000000n, 0x10000000n, 0x20000000n, 0x40000000n])
      for (const high of [0n, 1n << 32n, 0xffff_ffffn << 32n]) {
        expect(answer("clone", flag | SIGCHLD | high)).toBe(EPERM);
        expect(answer("unshare", flag | high)).toBe(EPERM);
      }
    expect(answer("unshare", 0x80n)).toBe(EPERM); // CLONE_NEWTIME
    expect(answer("unshare", 0x200n)).toBe("ALLOW"); // CLONE_FS
  });

  test("TIOCSTI and TIOCLINUX, compared as the kernel does: 32 bits (CVE-2019-10063)", () => {
    for (const request of [0x5412n, 0x541cn])
      for (const high of [0n, 1n << 32n, 0xffff_ffffn << 32n]) expect(answer("ioctl", 0n, request | high)).toBe(EPERM);
    for (const request of [0x5401n, 0x5413n, 0x541bn, 0xffff_ffffn]) expect(answer("ioctl", 0x5412n, request)).toBe("ALLOW");
  });

  test("AF_ALG, AF_VSOCK and their like are refused, also with garbage above the int; the usual families are not", () => {
    for (const family of [12n, 25n, 37n, 38n, 40n, 46n, 0xffff_ffffn])
      for (const high of [0n, 1n << 32n, 0xffff_ffffn << 32n]) expect(answer("socket", family | high)).toBe(NO_FAMILY);
    for (const family of [1n, 2n, 10n, 16n, 17n, 44n]) expect(answer("socket", family)).toBe("ALLOW");
  });

  test("personality: no address layout without randomness", () => {
    for (const [value, is] of [[0n, "ALLOW"], [8n, "ALLOW"], [0xffff_ffffn, "ALLOW"], [0x40000n, EPERM], [0x400000n, EPERM]] as const)
      expect(answer("personality", value)).toBe(is); // biome-ignore format: pairs
  });

  test("pid 1 can reap and signal, and nothing else", () => {
    const names = [...unistd(arch)].filter(([, nr]) => {
      const filter = fromBytes(Buffer.from(INIT_FILTER[arch], "base64"));
      return run(filter, { nr, arch: AUDIT_ARCH[arch], args: [] }).action === RET.ALLOW;
    });
    expect(names.map(([name]) => name).sort()).toEqual(
      "exit_group kill munmap restart_syscall rt_sigtimedwait sendto wait4".split(" "),
    );
  });

  test("the table of our own calls agrees with the kernel's", () => {
    for (const name of ["seccomp", "capset", "keyctl", "prctl", "execve", "close_range", "landlock_create_ruleset"] as const)
      expect(unistd(arch).get(name)).toBe(syscallNumber(name, arch));
  });
});

test("every name is one of some architecture, and says one thing", () => {
  const known = new Set(ARCHES.flatMap((arch) => [...unistd(arch).keys()]));
  const refused = [...REFUSED, ...Object.values(BY_CAPABILITY).flat()];
  expect([...ALLOWED, ...refused].filter((name) => !known.has(name))).toEqual([]);
  expect(ALLOWED.filter((name, i) => ALLOWED.indexOf(name) !== i || refused.includes(name))).toEqual([]);
  expect(REFUSED.filter((name) => Object.values(BY_CAPABILITY).flat().includes(name))).toEqual([]);
});

test("a capability opens its calls, and no other's", () => {
  for (const [capability, names] of Object.entries(BY_CAPABILITY)) {
    const [without, with_] = [defaultPolicy("x64", NONE), defaultPolicy("x64", new Set([capability]))];
    const numbers = unistd("x64");
    const opened = [...numbers].filter(([, nr]) => with_.calls.get(nr)?.otherwise !== without.calls.get(nr)?.otherwise);
    const more = capability === "CAP_SYS_ADMIN" ? ["clone", "clone3", "unshare"] : [];
    expect(opened.map(([name]) => name).sort()).toEqual([...names, ...more].sort());
  }
});
