/** nsrun doctor: what it says is what other programs find, it changes nothing, and it sees what was taken away. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import type { Diagnosis, Result } from "../../src/doctor/doctor.ts";
import {
  CHECKOUT,
  COMPILED,
  canRun,
  eventually,
  isRoot,
  NSRUN,
  processes,
  shell,
  skipReason,
  snapshot,
  works,
} from "./helpers.ts";

const reason = skipReason("nsrun doctor", [canRun]);
const DENY = [process.execPath, "--no-env-file", `${CHECKOUT}/test/live/deny.ts`];

async function doctor(before: readonly string[] = [], program: readonly string[] = NSRUN) {
  const { code, stdout, stderr } = await shell([...before, ...program, "doctor", "--json"]);
  expect(stderr).toBe("");
  const diagnosis = JSON.parse(stdout) as Diagnosis;
  const find = (name: string): Result => {
    const found = diagnosis.results.find((result) => result.name === name);
    if (!found) throw new Error(`no result named ${name}`);
    return found;
  };
  return { code, diagnosis, find };
}

const U = isRoot ? [] : ["-Ur"];
/** Another program that does the same. */
const WITNESSES: Record<string, readonly string[]> = {
  "user namespace": ["unshare", "-Ur", "true"],
  "pid namespace": ["unshare", ...U, "-pf", "true"],
  "net namespace": ["unshare", ...U, "-n", "true"],
  "time namespace": ["unshare", ...U, "-T", "--boottime", "1", "true"],
  "cgroup namespace": ["unshare", ...U, "-C", "true"],
  proc: ["unshare", ...U, "-mpf", "--mount-proc", "true"],
  mqueue: ["unshare", ...U, "-mi", "mount", "-t", "mqueue", "m", "/proc"],
  "overlay in a user namespace": [
    ...["unshare", "-Urm", "sh", "-c"],
    "mount -t tmpfs t /proc && cd /proc && mkdir l u w m && mount -t overlay -o lowerdir=l,upperdir=u,workdir=w,userxattr o m",
  ],
  veth: ["unshare", ...U, "-n", "ip", "link", "add", "name", "v0", "type", "veth", "peer", "name", "v1"],
  bridge: ["unshare", ...U, "-n", "ip", "link", "add", "name", "br0", "type", "bridge"],
  netem: ["unshare", ...U, "-n", "tc", "qdisc", "add", "dev", "lo", "root", "netem"],
  tun: ["unshare", ...U, "-n", "ip", "tuntap", "add", "t", "mode", "tun"],
};

describe.skipIf(reason !== undefined)("nsrun doctor", () => {
  let before: Awaited<ReturnType<typeof snapshot>>;
  beforeAll(async () => {
    before = await snapshot("nsrun-doctor");
  });
  afterAll(async () => {
    if (reason === undefined) expect(await snapshot("nsrun-doctor")).toEqual(before);
  });

  test("says that nsrun run works where it does, with exit code 0", async () => {
    const { code, diagnosis } = await doctor();
    const broken = diagnosis.results.filter(({ main, works }) => main && works !== true);
    expect({ code, works: diagnosis.works, root: diagnosis.root, broken }).toEqual({
      code: 0,
      works: true,
      root: isRoot,
      broken: [],
    });
    expect((await shell([...NSRUN, "run", "true"])).code).toBe(0);
  });

  test("finds what other programs find", async () => {
    const { find } = await doctor();
    for (const [name, argv] of Object.entries(WITNESSES)) {
      if (!Bun.which(argv.find((word) => ["ip", "tc"].includes(word)) ?? "unshare")) continue;
      expect({ name, works: find(name).works }).toEqual({ name, works: works(...argv) });
    }
    const makes = works(
      "sh",
      "-c",
      "d=$(grep -h memory /proc/self/cgroup | cut -d: -f3); g=/sys/fs/cgroup/memory$d/nsrun-test-$$; mkdir $g && rmdir $g",
    );
    if (existsSync("/sys/fs/cgroup/memory/memory.limit_in_bytes")) expect(find("cgroup memory").works).toBe(makes);
  });

  test("has one line for each thing, and what does not work says what is lost", async () => {
    const { diagnosis } = await doctor();
    const { stdout } = await shell([...NSRUN, "doctor"]);
    const lines = stdout.split("\n").filter((line) => line.startsWith("  "));
    expect(lines.map((line) => line.slice(4, 4 + 31).trim())).toEqual(diagnosis.results.map(({ name }) => name));
    for (const [i, { works, lost, remedy }] of diagnosis.results.entries()) {
      expect(lines[i]?.[2]).toBe(works === null ? "–" : works ? "✓" : "✗");
      if (works) continue;
      expect(lines[i]).toContain(`lost: ${lost}`);
      if (remedy !== null) expect(lines[i]).toEndWith(`try: ${remedy}`);
    }
  });

  test("takes less than 300 ms", async () => {
    const times: number[] = [];
    for (let i = 0; i < 5; i++) {
      const begun = performance.now();
      await shell([...NSRUN, "doctor"]);
      times.push(performance.now() - begun);
    }
    expect(Math.min(...times)).toBeLessThan(300); // the machine may be busy; the fastest is what the program needs
  });

  test("gets by with few descriptors", async () => {
    const { code } = await shell(["bash", "-c", 'ulimit -n 40; exec "$@" >/dev/null', "sh", ...NSRUN, "doctor"]);
    expect(code).toBe(0);
  });

  test("killed at any instant, it leaves neither processes nor cgroups", async () => {
    for (let i = 0; i < 20; i++) {
      const child = Bun.spawn([...NSRUN, "doctor"], { cwd: CHECKOUT, stdout: "ignore", stderr: "ignore" });
      await Bun.sleep(40 + i * 5); // the trial is when it dies, not how long we wait
      child.kill("SIGKILL");
      await child.exited;
    }
    const left = () =>
      processes()
        .values()
        .some((argv) => argv.includes("nsrun-doctor"));
    await eventually("the end of all tries", () => !left());
    expect((await shell(["find", "/sys/fs/cgroup", "-name", "nsrun-doctor*"])).stdout).toBe("");
  });

  /** A call that is denied: what does not work then, and whether the main job is lost with it. */
  const DENIED: readonly (readonly [call: string, code: string, name: string, main: boolean])[] = [
    ["pivot_root", "EPERM", "pivot_root", true],
    ["openat2", "ENOSYS", "openat2", true],
    ["close_range", "ENOSYS", "close_range", true],
    ["sethostname", "EPERM", "uts namespace", true],
    ["landlock_restrict_self", "ENOSYS", "Landlock", false],
    ["clone3", "ENOSYS", "clone3", false],
    ["mount_setattr", "EPERM", "mount_setattr", true],
    ["keyctl", "EDQUOT", "session keyring", true],
    ["keyctl", "ENOSYS", "session keyring", true],
    ["seccomp", "EINVAL", "seccomp", true],
    ["setns", "EPERM", "setns", false],
  ];
  for (const [call, errno, name, main] of DENIED)
    test(`sees that ${call} is forbidden: ${main ? "exit code 1" : "the main job goes on"}`, async () => {
      const { code, find, diagnosis } = await doctor([...DENY, call, errno, "--"]);
      expect(find(name)).toMatchObject({
        works: false,
        detail: expect.stringContaining(errno),
        lost: expect.stringMatching(/./),
      });
      expect({ code, works: diagnosis.works, whole: find("a whole container").works }).toEqual({
        code: main ? 1 : 0,
        works: !main,
        whole: !main,
      });
    });

  test("sees a limit of namespaces, with the command that lifts it", async () => {
    const { find } = await doctor(["unshare", "-Ur", "sh", "-c", 'echo 0 >/proc/sys/user/max_time_namespaces; exec "$@"', "sh"]);
    const expected = { works: false, remedy: expect.stringMatching(/^(sudo )?sysctl user\.max_time_namespaces=\d+$/) };
    expect(find("time namespace")).toMatchObject({ ...expected, detail: expect.stringContaining("ENOSPC") });
    expect(find("max_time_namespaces")).toMatchObject({ ...expected, detail: "it is 0" });
  });

  test("sees a masked /proc", async () => {
    const mask = 'mount -t tmpfs t /proc/irq; exec "$@"';
    const { find } = await doctor(["unshare", "-Urmpf", "--mount-proc", "sh", "-c", mask, "sh"]);
    expect(find("/proc unmasked")).toMatchObject({ works: false, detail: "an outer container hides /proc/irq" });
  });
});

const noBuild = skipReason("nsrun doctor of the compiled file", [
  canRun,
  [existsSync(COMPILED), "dist/nsrun is missing: bun run build"],
]);

describe.skipIf(noBuild !== undefined)("the compiled file's doctor", () => {
  test("works, and knows that its code comes from the build", async () => {
    const { code, find } = await doctor([], [COMPILED]);
    expect(code).toBe(0);
    expect(find("execmem").detail).toContain("from the build");
    if (readFileSync(COMPILED).includes("BusyBox v")) expect(find("busybox").detail).toBe("in this executable");
  });
});
