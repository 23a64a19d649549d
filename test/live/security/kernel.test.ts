/** Ways to the kernel and to others that a container must not have: capabilities, filters, namespaces, each for itself. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { canRun, isRoot, NSRUN, SINGLE_ID, shell, skipReason } from "../helpers.ts";
import { Attacks, answers } from "./attacks.ts";
import { bug, type Target } from "./bug.ts";
import { answersOf, hasCompiler, Programs } from "./programs.ts";

const reason = skipReason("attacks on the kernel", [canRun, hasCompiler]);
let programs: Programs;
let attacks: Attacks;
beforeAll(async () => {
  if (reason !== undefined) return;
  programs = await Programs.build("bugs");
  attacks = await Attacks.build();
});
afterAll(() => {
  programs?.[Symbol.dispose]();
  attacks?.[Symbol.dispose]();
});

/** `bugs WORDS…` inside, with the options of this run. */
const inside = ({ nsrun, options }: Target, more: readonly string[], ...words: string[]) =>
  shell([...nsrun, "run", ...more, ...options, ...programs.volume, "--", "/bugs/bugs", ...words]);

describe.skipIf(reason !== undefined)("capabilities", () => {
  bug({
    name: "CVE-2022-29162: nothing is inheritable",
    without: { rows: ["nothing inheritable"] },
    attack: async ({ nsrun }) => (await shell([...nsrun, "run", "--", "grep", "CapInh", "/proc/self/status"])).stdout,
    held: "CapInh:\t0000000000000000\n",
    open: "CapInh:\t00000000000004fb\n",
  });

  // the capability counts in the initial user namespace: only root has it there
  bug({
    name: "shocker: open_by_handle_at does not find a file that is outside the volume",
    skip: isRoot ? undefined : "only root has CAP_DAC_READ_SEARCH outside",
    without: { options: ["--cap-add", "dac_read_search"] },
    attack: async (target) => {
      const { dir } = programs;
      mkdirSync(dir.file("volume"), { recursive: true });
      writeFileSync(dir.file("secret"), "secret of the host\n");
      const handle = (await shell([dir.file("bugs"), "handle", dir.file("secret")])).stdout.trim();
      const options = ["--userns", "host", "--seccomp", "none", "-v", `${dir.file("volume")}:/volume`];
      return (await inside(target, options, "opened", "/volume", handle)).stdout;
    },
    held: "EPERM\n",
    open: "secret of the host\n",
  });
});

describe.skipIf(reason !== undefined)("the filter", () => {
  bug({
    name: "CVE-2022-0492: no user namespace is to be had in which a cgroup v1 hierarchy could be mounted",
    without: { options: ["--seccomp", "none"] },
    attack: async (target) => answersOf(await inside(target, [], "cgroup")),
    held: { unshare: "EPERM" },
    // a kernel with the fix, or without cgroup v1, refuses the mount itself
    open: { unshare: "ok", mount: expect.any(String) },
  });
  bug({
    name: "AF_ALG, AF_VSOCK: refused by ranges, whatever lies in the high word",
    both: ["filter compiled anew", "families told apart"],
    without: { rows: ["families by ranges"] },
    attack: ({ nsrun }) => attacks.run([], ["af_alg", "af_alg_high", "af_vsock"], nsrun),
    held: { af_alg: "ENODATA", af_alg_high: "ENODATA", af_vsock: "ENODATA" },
    // the kernel's answer: a socket, or that it does not know the family
    open: {
      af_alg: expect.stringMatching(/^(ok|EAFNOSUPPORT)$/),
      af_alg_high: expect.stringMatching(/^(ok|EAFNOSUPPORT|ENODATA)$/),
      af_vsock: expect.stringMatching(/^(ok|EAFNOSUPPORT)$/),
    },
  });
  test("AF_ALG, AF_VSOCK: refused by the filter that is stored in nsrun", async () => {
    expect(await attacks.run([], ["af_alg", "af_alg_high", "af_vsock"])).toEqual({
      af_alg: "EAFNOSUPPORT",
      af_alg_high: "EAFNOSUPPORT",
      af_vsock: "EAFNOSUPPORT",
    });
  });
  bug({
    name: "keyrings: calls for keys are refused",
    without: { options: ["--seccomp", "none"] },
    attack: ({ nsrun, options }) => attacks.run(options, ["keyctl", "add_key", "request_key"], nsrun),
    held: { keyctl: "EPERM", add_key: "EPERM", request_key: "EPERM" },
    open: { keyctl: "ok", add_key: "EFAULT", request_key: "EFAULT" },
  });
});

describe.skipIf(reason !== undefined)("what the caller has", () => {
  bug({
    name: "keyrings: a key of the caller's session is not found",
    without: { options: ["--no-new-keyring"] },
    attack: async ({ nsrun, options }) => {
      const command = ["--seccomp", "none", "-v", `${attacks.program}:/attack`, "--", "/attack", "find_key"];
      return answers((await shell([attacks.program, "with_key", ...nsrun, "run", ...options, ...command])).stdout);
    },
    held: { find_key: "ENOKEY" },
    open: { find_key: "ok" },
  });

  bug({
    name: "CVE-2020-15257: an abstract socket of the host's is not reached",
    without: { options: ["--net", "host"] },
    attack: async (target) => {
      const name = `nsrun-test-${process.pid}`;
      using _ = Bun.listen({ unix: `\0${name}`, socket: { data() {} } }) as unknown as Disposable;
      return (await inside(target, [], "connect", name)).stdout;
    },
    held: "ECONNREFUSED\n",
    open: "ok\n",
  });
  test("CVE-2020-15257: who shares the host's network is told", async () => {
    for (const options of [
      ["--net", "host"],
      ["--share", "net"],
    ]) {
      const { code, stderr } = await shell([...NSRUN, "run", ...options, "--", "true"]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringMatching(/^nsrun: the host's network is shared: .*\n$/) });
    }
    expect(await shell([...NSRUN, "run", "--", "true"])).toEqual({ code: 0, stdout: "", stderr: "" });
  });

  bug({
    name: "CVE-2014-8989: root's supplementary groups are not the command's",
    skip: isRoot ? undefined : "only root can take groups",
    both: ["groups are read back"],
    without: { rows: ["groups cleared"] },
    attack: async ({ nsrun }) => {
      const groups = ["setpriv", "--groups", "4,27"];
      return (await shell([...groups, ...nsrun, "run", "--userns", "host", "--", "grep", "^Groups", "/proc/self/status"])).stdout;
    },
    held: expect.stringMatching(/^Groups:\s*\n$/),
    open: "Groups:\t4 27 \n",
  });
  // since its own fix the kernel takes no gid_map from who has no privilege and has not denied setgroups: without it there is no container
  bug({
    name: "CVE-2014-8989: without privilege groups cannot be dropped inside: a file that denies them something would be open",
    skip: !isRoot ? undefined : "root has privilege: see test/as-user.sh",
    without: { rows: ["setgroups denied"] },
    attack: async ({ nsrun }) => {
      const { stdout, stderr } = await shell([...nsrun, "run", ...SINGLE_ID, "--", "cat", "/proc/self/setgroups"]);
      return stdout + (/gid_map: EPERM/.exec(stderr)?.[0] ?? "");
    },
    held: "deny\n",
    open: "gid_map: EPERM",
  });
});
