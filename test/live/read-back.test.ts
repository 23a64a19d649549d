/**
 * Fail closed, twice: a defence's call that says "done" and does nothing (strace's inject) is found out when the kernel is asked,
 * and the command does not run. The negative control: without the defence there is nothing to find out, and it runs.
 */
import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { container } from "../../src/index.ts";
import { landlockAbi } from "../../src/security/landlock.ts";
import { asRoot, BUN, canRun, NSRUN, shell, skipReason, TRACED, temporary, works } from "./helpers.ts";

const reason = skipReason("reading back", [canRun, [works("strace", "-V"), "strace is not installed"]]);
const noLandlock = skipReason("reading back without namespaces", [[landlockAbi() > 0, "this kernel has no Landlock"]]);

interface Defence {
  /** That is made to lie. */
  readonly call: string;
  /** The step that finds out. */
  readonly found: RegExp;
  readonly options?: readonly string[];
  /** Options that go without it. */
  readonly without?: readonly string[];
  /** What is in front of nsrun, and of strace. */
  readonly before?: readonly string[];
  readonly root?: true;
  readonly skip?: boolean;
}

const STATUS = /make sure of status: EBADMSG.*\nhint: .*the command was not run\n$/;
const YOUNG = "optional:truncate,ioctl-dev,bind,connect,abstract-unix-socket,signal";
const BARE = ["--no-namespaces", "--landlock", "rwx:/", "--landlock", YOUNG];
const HOST = ["--userns", "host"];
/** An ordinary user has no other: his pid is found in the host's /proc. */
const SHARED = ["--share", "mnt"];
/** A filter that is there already, and lets nearly all through. */
const FILTERED = [...BUN, new URL("deny.ts", import.meta.url).pathname, "getppid", "ENOSYS", "--"];
const leaving = (fd: number) => ["sh", "-c", `exec ${fd}</etc/passwd; exec "$@"`, "sh"];

const DEFENCES: Record<string, Defence> = {
  "the system call filter": { call: "seccomp", found: /make sure that there is a filter/, without: ["--seccomp", "none"] },
  "the system call filter, under another one": {
    call: "seccomp",
    found: STATUS,
    before: FILTERED,
    without: ["--seccomp", "none"],
  },
  "capabilities given up": { call: "capset", found: STATUS },
  "capabilities given up, where the mounts are shared": { call: "capset", found: STATUS, options: SHARED },
  "capabilities given up, without namespaces": { call: "capset", found: STATUS, options: BARE, root: true, skip: !!noLandlock },
  // with a filter the kernel itself would refuse: it takes one only from who has no_new_privs
  "no_new_privs, and the bounding set": { call: "prctl", found: STATUS, options: ["--no-init", "--seccomp", "none"] },
  "the change of user": { call: "setresuid", found: /make sure of status: EBADMSG|EACCES|EOVERFLOW|EPERM/, root: true },
  "the change of user, without namespaces": {
    call: "setresuid",
    found: STATUS,
    options: [...BARE, "--user", "65534"],
    root: true,
    skip: !!noLandlock,
  },
  "the change of group, where the mounts are shared": {
    call: "setresgid",
    found: STATUS,
    options: [...SHARED, ...HOST, "--user", "0:65534"],
    root: true,
  },
  "the caller's groups": {
    call: "setgroups",
    found: STATUS,
    options: HOST,
    before: ["setpriv", "--groups", "4,27,42"],
    root: true,
  },
  "the change of roots": { call: "pivot_root", found: /make sure that it is the root directory: EBADMSG/, without: ["--chroot"] },
  "descriptors that the caller left open": {
    call: "close_range",
    found: /make sure that only the standard streams are left to the command: EBADMSG.*\nhint: a descriptor of the host's/,
    before: leaving(7),
  },
  "a descriptor of a high number, where the mounts are shared": {
    call: "close_range",
    found: /make sure that only the standard streams are left to the command: EBADMSG/,
    options: SHARED,
    before: ["bash", "-c", 'for fd in {100..180}; do eval "exec $fd</etc/passwd"; done; exec "$@"', "bash"],
  },
};

const lying = (call: string) => [
  "strace",
  "-f",
  "-qqq",
  "-o",
  "/dev/null",
  "-e",
  `trace=${call}`,
  "-e",
  `inject=${call}:retval=0`,
];
/** `touch` of a file by a path that is there with namespaces, and without. */
const touch = (dir: string, own: boolean) => (own ? ["-v", `${dir}:/v`, "--", "touch", "/v/ran"] : ["--", "touch", `${dir}/ran`]);

describe.skipIf(reason !== undefined)("a call that only says it was done:", () => {
  for (const [what, { call, found, options = [], without, before = [], root, skip = false }] of Object.entries(DEFENCES))
    (root ? asRoot("without root the user is the same") : test.skipIf(skip))(`${what} (${call})`, async () => {
      if (skip) return;
      using dir = temporary();
      const own = !options.includes("--share") && !options.includes("--no-namespaces");
      const ids = options.includes("--no-namespaces") ? [] : TRACED;
      const run = (more: readonly string[]) =>
        shell([...before, ...lying(call), ...NSRUN, "run", ...ids, ...options, ...more, ...touch(dir.path, own)]);
      const { code, stdout, stderr } = await run([]);
      expect({ code, stdout }).toEqual({ code: 125, stdout: "" });
      expect(stderr).toMatch(found);
      expect(existsSync(dir.file("ran"))).toBe(false);
      if (!without) return;
      expect((await run(without)).stderr).toBe("");
      expect(existsSync(dir.file("ran"))).toBe(true);
    });

  test("and without a lie each of these starts", async () => {
    for (const { options = [], before = [], root, skip } of Object.values(DEFENCES)) {
      if (skip || (root && process.getuid!() !== 0)) continue;
      const { code, stdout, stderr } = await shell([...before, ...NSRUN, "run", ...options, "--", "echo", "ran"]);
      expect({ code, stdout, stderr }).toMatchObject({ code: 0, stdout: "ran\n" });
    }
  });

  asRoot("an ordinary user has not that many ranges")(
    "maps of few and of many lines are read back in the kernel's order",
    async () => {
      for (const count of [1, 2, 5, 6, 250]) {
        const lines = Array.from({ length: count }, (_, i) => `${(count - 1 - i) * 10}:${3000000 + i * 1000}:10`);
        const { code, stderr } = await shell([
          ...NSRUN,
          "run",
          ...lines.flatMap((line) => ["--uid-map", line, "--gid-map", line]),
          "--",
          "true",
        ]);
        expect({ count, code, stderr }).toEqual({ count, code: 0, stderr: "" });
      }
    },
  );

  test("a file of the status in a volume on /proc is not believed, and a start with one is none the worse", async () => {
    using dir = temporary();
    mkdirSync(dir.file("self/fd"), { recursive: true });
    // all lines that could be asked for
    const ids = "Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nGroups:\t \nNoNewPrivs:\t1\n";
    const sets = ["Inh", "Amb"].map((set) => `Cap${set}:\t${"0".repeat(16)}\n`);
    const held = ["Prm", "Eff", "Bnd"].map((set) => `Cap${set}:\t00000000000004fb\n`);
    writeFileSync(dir.file("self/status"), [ids, ...sets, ...held].join(""));
    const command = ["sh", "-c", ": >/v/ran; cat /proc/self/status 2>/dev/null || :"];
    for (const [options, seen] of [
      [["-v", `${dir.path}:/proc`], ids],
      [["--tmpfs", "/proc"], ""],
    ] as const) {
      const run = (prefix: readonly string[]) =>
        shell([...prefix, ...NSRUN, "run", ...TRACED, ...options, "-v", `${dir.path}:/v`, "--", ...command]);
      const lied = await run(lying("capset"));
      expect({ code: lied.code, stderr: lied.stderr }).toEqual({ code: 125, stderr: expect.stringMatching(STATUS) });
      expect(existsSync(dir.file("ran"))).toBe(false);
      const { code, stdout } = await run([]);
      expect({ code, seen: stdout.startsWith(seen) }).toEqual({ code: 0, seen: true });
      await Bun.file(dir.file("ran")).delete();
    }
  });

  test("a command that joins a container is read back by the caller's /proc, whatever lies on the container's", async () => {
    await using box = await container({ tmpfs: ["/proc"] });
    expect((await box.exec(["id", "-u"])).stdout).toBe("0\n");
    const maps = TRACED.length > 0 ? `uidMap: ["${TRACED[1]}"], gidMap: ["${TRACED[3]}"]` : "";
    using dir = temporary();
    writeFileSync(
      dir.file("join.ts"),
      `import { container } from ${JSON.stringify(new URL("../../src/index.ts", import.meta.url).pathname)};
      await using box = await container({ tmpfs: ["/proc"], ${maps} });
      console.log(await box.exec(["true"]).then(({ code }) => "ran " + code, (error) => error.message));`,
    );
    const { stdout } = await shell([...lying("capset"), ...BUN, dir.file("join.ts")]);
    expect(stdout).toMatch(/make sure of status: EBADMSG/);
  });
});
