/**
 * A probe taken for "not supported": systemd-nspawn runs without its filter when one prctl fails. Here a defence that cannot be set
 * ends the start, whatever the kernel's word for it was; nothing is passed over but what this file lists.
 */
import { describe, expect, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { plan } from "../../../src/index.ts";
import {
  asRoot,
  BUN,
  CHECKOUT,
  canRun,
  isRoot,
  NSRUN,
  OWN_MOUNTS,
  shell,
  skipReason,
  TRACED,
  temporary,
  works,
} from "../helpers.ts";
import { bug } from "./bug.ts";

const reason = skipReason("failing defences", [canRun, [works("strace", "-V"), "strace is not installed"]]);

/** Call and errno that plans pass over. */
const PASSED = [
  "dup3 22", // EINVAL: the procfs has the number beside the socket already
  "mkdirat 17", // EEXIST: something is there; what it is, is asked when it is opened
  "mknodat 17",
  "getxattr 61", // ENODATA: the attribute is not there, but the file system has attributes, which is what was asked
  "unlinkat 2", // ENOENT: the cgroup that was to go has gone
  "sendto 32", // EPIPE: nobody is there to hear it; the watch that follows ends the container
];

/** nsrun with `call` failing in its children; whether the command has run, and what was said. */
async function failing(nsrun: readonly string[], call: string, errno: string, options: readonly string[] = []) {
  using dir = temporary();
  const inject = ["strace", "-f", "-qqq", "-o", "/dev/null", "-e", `trace=${call}`, "-e", `inject=${call}:error=${errno}`];
  const command = ["run", ...TRACED, ...options, "-v", `${dir.path}:/v`, "--", "touch", "/v/ran"];
  const { code, stderr } = await shell([...inject, ...nsrun, ...command]);
  return { code, ran: existsSync(dir.file("ran")), line: /^nsrun: [^\n]*\n(hint: [^\n]*\n)?$/.test(stderr), stderr };
}

/** What each defence is made of, and the words by which a kernel or a policy says that it has it not. */
const CALLS = ["prctl", "seccomp", "capset", "pivot_root", "umount2", "setsid", "close_range", "mount_setattr", "setresuid"];
const WORDS = ["ENOSYS", "EINVAL", "EPERM", "EOPNOTSUPP"];

describe.skipIf(reason !== undefined)('a probe taken for "not supported"', () => {
  for (const call of CALLS)
    test(`a probe taken for "not supported": ${call} that fails with any of ${WORDS.join(", ")} ends the start`, async () => {
      for (const errno of WORDS) {
        const { stderr, ...rest } = await failing(NSRUN, call, errno);
        expect({ errno, ...rest }).toEqual({ errno, code: 125, ran: false, line: true });
        expect(stderr).toContain(errno);
      }
    }, 600_000);
  asRoot("without root nothing is dropped")(
    'a probe taken for "not supported": setgroups and keyctl',
    async () => {
      for (const [call, errno] of [
        ["setgroups", "EPERM"],
        ["setgroups", "ENOSYS"],
        ["keyctl", "EPERM"],
        ["keyctl", "EINVAL"],
        ["keyctl", "ENOSYS"],
      ] as const)
        expect(await failing(NSRUN, call, errno)).toMatchObject({ code: 125, ran: false, line: true });
    },
    600_000,
  );

  const both = (code: number, ran: boolean) => ({ code, ran, line: expect.any(Boolean), stderr: expect.any(String) });
  bug({
    name: 'a probe taken for "not supported": no filter, no command',
    // what is read back would find it as well: see the next
    both: ["a filter is read back"],
    without: { rows: ["a filter that fails is fatal"] },
    attack: ({ nsrun }) => failing(nsrun, "seccomp", "ENOSYS", ["--no-init"]),
    held: both(125, false),
    open: both(0, true),
  });
  bug({
    name: 'a probe taken for "not supported": a filter that is not there is found out before the command begins',
    both: ["a filter that fails is fatal"],
    without: { rows: ["a filter is read back"] },
    attack: ({ nsrun }) => failing(nsrun, "seccomp", "ENOSYS", ["--no-init"]),
    held: both(125, false),
    open: both(0, true),
  });

  test('a probe taken for "not supported": only a whole /proc without a list of keys shows a kernel without keys', async () => {
    const script = `
      import { hasKeys } from ${JSON.stringify(`${CHECKOUT}/src/container/hidden.ts`)};
      import { sys } from ${JSON.stringify(`${CHECKOUT}/src/ffi/syscall.ts`)};
      const said = [hasKeys([{ path: "/proc/keys" }]), hasKeys()];
      for (const [type, data, files] of [["proc", "subset=pid", []], ["tmpfs", null, ["meminfo"]]]) {
        if (sys("mount", type, "/proc", type, 0, data) !== 0) throw new Error(type);
        for (const file of files) sys("openat", -100, "/proc/" + file, 0x41, 0o600);
        said.push(hasKeys());
      }
      console.log(said.join(" "));`;
    using dir = temporary();
    writeFileSync(dir.file("keys.ts"), script);
    const own = [...OWN_MOUNTS, "-pf", "--mount-proc"];
    expect(await shell([...own, ...BUN, dir.file("keys.ts")])).toEqual({ code: 0, stdout: "true true true false\n", stderr: "" });
  });

  test("what a plan passes over is known, each with its reason", async () => {
    const kinds = [{}, { rw: true, rootfs: "/" }, { init: false }, { share: ["pid"] }, ...(isRoot ? [{ userns: "host" }] : [])];
    const found = new Set<string>();
    for (const options of kinds) {
      const { prepare, child, between } = await plan(["true"], { ...options, volume: ["/usr:/usr"], tmpfs: ["/tmp"] });
      for (const step of [...prepare, ...child, ...between])
        if ("tolerate" in step && step.tolerate !== undefined) found.add(`${step.call} ${step.tolerate}`);
    }
    expect(found).toContain("mkdirat 17");
    expect([...found].filter((one) => !PASSED.includes(one))).toEqual([]);
  });
});
