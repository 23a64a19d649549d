/** The system call filter, by a C program that tries; and that each attempt works where the filter is switched off. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { canRun, NSRUN, nsrun, shell, skipReason, temporary, works } from "../helpers.ts";
import { Attacks } from "./attacks.ts";

const reason = skipReason("seccomp", [canRun, [works("gcc", "--version"), "gcc is not installed"]]);
let attacks: Attacks;
beforeAll(async () => {
  if (reason === undefined) attacks = await Attacks.build();
});
afterAll(() => attacks?.[Symbol.dispose]());

const REFUSED = `mount umount2 open_tree mount_setattr setns chroot clone_user unshare_user unshare_user_high io_uring_setup
  userfaultfd bpf perf_event_open keyctl add_key request_key settimeofday clock_settime pidfd_getfd process_madvise quotactl
  personality_fixed tiocsti tiocsti_high tioclinux`.split(/\s+/);
const FAMILIES = ["af_alg", "af_alg_high", "af_vsock"];

describe.skipIf(reason !== undefined)("the default filter", () => {
  test("refuses each of them with EPERM", async () => {
    const found = await attacks.run([], REFUSED);
    expect(found).toEqual(Object.fromEntries(REFUSED.map((name) => [name, "EPERM"])));
  });
  test("without it each of them reaches the kernel: the same program gets another answer", async () => {
    const found = await attacks.run(["--seccomp", "none"], REFUSED);
    expect(Object.keys(found)).toEqual(REFUSED);
    // with unprivileged_bpf_disabled an older kernel (6.1) says EPERM before it looks at the arguments
    expect(["", "bpf"]).toContain(REFUSED.filter((name) => found[name] === "EPERM").join());
  });
  test("says ENOSYS for clone3 and for what nobody knows, and that a family is not there", async () => {
    const names = ["clone3", "unknown_number", ...FAMILIES];
    expect(await attacks.run([], names)).toEqual({
      clone3: "ENOSYS",
      unknown_number: "ENOSYS",
      af_alg: "EAFNOSUPPORT",
      af_alg_high: "EAFNOSUPPORT",
      af_vsock: "EAFNOSUPPORT",
    });
    const without = await attacks.run(["--seccomp", "none"], names);
    expect(without.clone3).toMatch(/^(EFAULT|EINVAL)$/);
    expect(without.af_alg).toBe(without.af_alg_high!); // the kernel cuts to an int
    if (FAMILIES.every((name) => without[name] === "EAFNOSUPPORT"))
      console.log("not shown: this kernel has none of these families");
  });
  test.skipIf(process.arch !== "x64")("kills calls of i386 and x32", async () => {
    expect(await attacks.run([], ["i386", "x32"])).toEqual({ i386: "SIGSYS", x32: "SIGSYS" });
    const without = await attacks.run(["--seccomp", "none"], ["i386", "x32"]);
    expect(Object.values(without)).not.toContain("SIGSYS");
  });
  test("holds with --new-privileges, for root and for another user", async () => {
    for (const more of [[], ["--cap-drop", "all"]])
      expect(await attacks.run(["--new-privileges", ...more], ["unshare_user"])).toEqual({ unshare_user: "EPERM" });
  });
  test("opens what an added capability is for", async () => {
    const names = ["mount", "chroot", "unshare_user", "io_uring_setup"];
    const admin = await attacks.run(["--cap-add", "sys_admin"], names);
    expect([admin.mount, admin.chroot, admin.unshare_user, admin.io_uring_setup]).toEqual(["EFAULT", "EPERM", "ok", "EPERM"]);
    expect(await attacks.run(["--cap-add", "sys_chroot"], names)).toMatchObject({ mount: "EPERM", chroot: "EFAULT" });
  });
});

describe.skipIf(reason !== undefined)("--seccomp FILE", () => {
  const file = (profile: unknown) => {
    const dir = temporary();
    writeFileSync(dir.file("profile.json"), JSON.stringify(profile));
    return { dir, path: dir.file("profile.json") };
  };
  test("loads Docker's JSON as it is", async () => {
    const syscalls = [
      { names: ["chroot"], action: "SCMP_ACT_ERRNO", errnoRet: 13, excludes: { caps: ["CAP_SYS_CHROOT"] } },
      { names: ["socket"], action: "SCMP_ACT_ERRNO", errnoRet: 22, args: [{ index: 0, value: 38, op: "SCMP_CMP_EQ" }] },
    ];
    const { dir, path } = file({ defaultAction: "SCMP_ACT_ALLOW", syscalls });
    using _ = dir;
    const names = ["chroot", "af_alg", "unshare_user"];
    expect(await attacks.run(["--seccomp", path], names)).toEqual({ chroot: "EACCES", af_alg: "EINVAL", unshare_user: "ok" });
    expect(await attacks.run(["--seccomp", path, "--cap-add", "sys_chroot"], ["chroot"])).toEqual({ chroot: "EFAULT" });
  });
  test("what it refuses and nobody knows is told; a mistake in it is one line", async () => {
    const { dir, path } = file({
      defaultAction: "SCMP_ACT_ALLOW",
      syscalls: [{ names: ["frobnicate"], action: "SCMP_ACT_KILL" }],
    });
    using _ = dir;
    const told = `nsrun: seccomp profile ${path}: no such system calls here, so they are not refused: frobnicate\n`;
    expect(await nsrun(["--seccomp", path, "true"])).toEqual({ code: 0, stdout: "", stderr: told });
    const wrong = file({ defaultAction: "SCMP_ACT_NONSENSE" });
    using __ = wrong.dir;
    const { code, stderr } = await nsrun(["--seccomp", wrong.path, "true"]);
    expect(code).toBe(125);
    expect(stderr).toMatch(/^nsrun: seccomp profile .*\.defaultAction: unknown action "SCMP_ACT_NONSENSE" \(known: .*\)\n$/);
    expect((await nsrun(["--seccomp", "/dev/null", "true"])).stderr).toBe(
      "nsrun: seccomp profile /dev/null: not a regular file\n",
    );
  });
  const allow = { defaultAction: "SCMP_ACT_ALLOW" };
  const refuse = (names: readonly string[], more = {}) => ({ names, action: "SCMP_ACT_ERRNO", ...more });
  /** Both with nsrun's pid 1 and as pid 1 itself; a start without an end would be killed, and its code 137. */
  const both = async (profile: unknown, command: string, expected: { code: number; stderr: RegExp }) => {
    const { dir, path } = file(profile);
    using _ = dir;
    for (const options of [[], ["--no-init"]]) {
      const limited = ["timeout", "-s", "KILL", "30", ...NSRUN, "run", ...options, "--seccomp", path, "--", command];
      const { code, stderr } = await shell(limited);
      expect(code).toBe(expected.code);
      expect(stderr).toMatch(expected.stderr);
    }
  };
  test("a filter that refuses execve is one line, whatever its word for it", async () => {
    const stderr = /^nsrun: seccomp profile .*: it refuses execve, so that no command could be started\n$/;
    const rest = { names: ["read", "write", "sendto"], action: "SCMP_ACT_ALLOW" };
    for (const profile of [
      { defaultAction: "SCMP_ACT_ERRNO", syscalls: [] },
      { defaultAction: "SCMP_ACT_ERRNO", defaultErrnoRet: 0, syscalls: [rest] },
      { defaultAction: "SCMP_ACT_TRACE", syscalls: [] },
      { ...allow, syscalls: [refuse(["execve"])] },
    ])
      await both(profile, "/bin/true", { code: 125, stderr });
  });
  test("an execve that a filter answers with 0 is no success", async () => {
    const sometimes = { errnoRet: 0, args: [{ index: 0, value: 0, op: "SCMP_CMP_NE" }] };
    await both({ ...allow, syscalls: [refuse(["execve"], sometimes)] }, "/bin/true", {
      code: 125,
      stderr: /^nsrun: step \d+ of \d+: execute \/bin\/true: short result .*\n$/,
    });
  });
  test("a filter that refuses to exit is no start without an end, and what went wrong is told", async () => {
    const told = { code: 127, stderr: /^nsrun: cannot execute "nowhere": ENOENT .*\nhint: looked in .*\n$/ };
    const ends = ["exit_group", "exit"];
    await both({ ...allow, syscalls: [refuse(["exit_group"])] }, "nowhere", told);
    await both({ ...allow, syscalls: [refuse([...ends, "kill", "getpid"], { errnoRet: 0 })] }, "nowhere", told);
    await both({ ...allow, syscalls: [refuse([...ends, "sendto"])] }, "nowhere", told);
    // neither of the two ways to tell is left: it ends all the same, by a signal
    await both({ ...allow, syscalls: [refuse([...ends, "sendto", "write"])] }, "nowhere", { code: 139, stderr: /^$/ });
  });
});
