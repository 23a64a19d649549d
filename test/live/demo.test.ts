/** `nsrun demo`: every lesson as predicted here, wrong when the kernel's answer is changed, and nothing left of it. */
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { createGroup } from "../../src/cgroup/index.ts";
import { findCaller } from "../../src/container/caller.ts";
import { codeOf, LESSONS, runLesson } from "../../src/lessons/index.ts";
import { Lab } from "../../src/lessons/lesson.ts";
import { rootfsTarball } from "../../src/lessons/tarball.ts";
import {
  CHECKOUT,
  COMPILED,
  canRun,
  eventually,
  isRoot,
  NSRUN,
  needsRoot,
  shell,
  skipReason,
  snapshot,
  temporary,
  works,
} from "./helpers.ts";
import { Screen } from "./tmux.ts";

const NAMES = [
  ...["clone", "pid", "pid-tree", "net", "mount", "rootfs", "full"],
  ...[
    "uts",
    "ipc",
    "user",
    "cgroup",
    "time",
    "caps",
    "seccomp",
    "oom",
    "fork-bomb",
    "zombie",
    "chroot-escape",
    "overlay",
    "join",
  ],
];
/** What an ordinary user cannot be shown, or but partly. */
const ROOTS = ["net", "rootfs", "full"];
const GROUPS = ["cgroup", "oom", "fork-bomb"];

const groups = (): boolean => {
  try {
    createGroup("probe", { memory: 1 << 26, pids: 100 })[Symbol.dispose]();
    return true;
  } catch {
    return false;
  }
};
const incomplete = [...(isRoot ? [] : ROOTS), ...(groups() ? [] : GROUPS)];
if (incomplete.length > 0) console.log(`skip: parts of the lessons ${incomplete.join(" ")}: no root, or no cgroup`);

interface Shown {
  readonly name: string;
  readonly status: string;
  readonly proofs: readonly {
    readonly what: string;
    readonly predicted: string;
    readonly observed: string;
    readonly ok: boolean;
  }[];
  readonly missing: readonly { readonly part: string; readonly why: string; readonly remedy: string }[];
}

const demo = (args: readonly string[], env: Record<string, string> = {}) => shell([...NSRUN, "demo", ...args], { env });
const lessonsOf = (stdout: string): Shown[] => (JSON.parse(stdout) as { version: 1; lessons: Shown[] }).lessons;
const reason = skipReason("nsrun demo", [canRun]);
const strace = skipReason("nsrun demo under strace", [canRun, [works("strace", "-V"), "strace is not installed"]]);

function expectAll(stdout: string): void {
  const lessons = lessonsOf(stdout);
  expect(lessons.map(({ name }) => name)).toEqual(NAMES);
  expect(lessons.flatMap(({ name, proofs }) => proofs.filter(({ ok }) => !ok).map((proof) => ({ name, ...proof })))).toEqual([]);
  expect(
    lessons
      .filter(({ status }) => status !== "as predicted")
      .map(({ name }) => name)
      .sort(),
  ).toEqual([...incomplete].sort());
  for (const { name, proofs, missing } of lessons) {
    if (!incomplete.includes(name)) expect([name, proofs.length > 1, missing]).toEqual([name, true, []]);
    for (const { part, why, remedy } of missing) expect([part, why, remedy].every((text) => text.length > 5)).toBe(true);
  }
}

describe.skipIf(reason !== undefined)("the lessons", () => {
  test("are listed in the article's order, and then those beyond it", async () => {
    const { code, stdout, stderr } = await demo([]);
    expect({
      code,
      stderr,
      names: stdout
        .trim()
        .split("\n")
        .map((line) => line.split(" ")[0]!),
    }).toEqual({ code: 0, stderr: "", names: NAMES });
    expect(lessonsOf((await demo(["--json"])).stdout).map(({ name }) => name)).toEqual(NAMES);
  });

  test("all run as predicted, and leave nothing", async () => {
    const before = await snapshot();
    const { code, stdout, stderr } = await demo(["--all", "--json"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expectAll(stdout);
    expect(await snapshot()).toEqual(before);
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith("nsrun-demo-"))).toEqual([]);
  }, 120_000);

  test("one, for a reader: what will be done, then each observation beside its prediction", async () => {
    const { code, stdout } = await demo(["pid"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^pid: .*\n {2}1\. clone a child with CLONE_NEWPID\n/);
    expect(stdout).toMatch(/\n {2}✓ getpid\(\) in the child +1 +1\n {2}✓ getppid\(\) in the child +0 +0\n/);
  });

  test("no prediction takes whatever comes", async () => {
    class Wrong extends Lab {
      override see(what: string, predicted: Parameters<Lab["see"]>[1]): void {
        super.see(what, predicted, "something else altogether");
      }
    }
    for (const lesson of LESSONS) {
      const { lab, status } = await runLesson(lesson, findCaller(), new Wrong(findCaller()));
      expect(lab.proofs.filter(({ ok }) => ok)).toEqual([]);
      if (lab.proofs.length > 0) expect(status).toBe("differs");
    }
  }, 120_000);
});

/** `nsrun demo ARGS` with the kernel's answers tampered with, and what strace has seen. */
async function traced(options: readonly string[], args: readonly string[]) {
  using dir = temporary();
  const log = dir.file("log");
  const outcome = await shell(["strace", "-f", "-o", log, ...options, ...NSRUN, "demo", ...args]);
  return { ...outcome, log: readFileSync(log, "utf8") };
}

describe.skipIf(strace !== undefined)("under strace", () => {
  test("the pid lesson's answers are the kernel's", async () => {
    const { code, log } = await traced(["-e", "trace=clone,getpid,getppid"], ["pid"]);
    expect(code).toBe(0);
    expect(log).toMatch(/clone\(.*CLONE_NEWPID/);
    const child = /CLONE_NEWPID.*\) = (\d+)\n/.exec(log)?.[1];
    const answers = [...log.matchAll(new RegExp(`^${child} .*get(pid|ppid).*\\) += (\\d+)$`, "gm"))];
    expect(answers.map(([, name, value]) => `${name} ${value}`)).toEqual(["pid 1", "ppid 0"]);
  });
  test("a kernel that answers something else is an exit code of 1, in words and in JSON", async () => {
    const inject = ["-e", "trace=getppid", "-e", "inject=getppid:retval=7"];
    const text = await traced(inject, ["pid"]);
    expect(text.code).toBe(1);
    expect(text.stdout).toMatch(/✗ getppid\(\) in the child +0 +7\n/);
    const json = await traced(inject, ["pid", "--json"]);
    expect(json.code).toBe(1);
    expect(lessonsOf(json.stdout)[0]).toMatchObject({ name: "pid", status: "differs" });
  });
  test("one lesson that differs does not keep the next from running", async () => {
    const { code, stdout } = await traced(["-e", "trace=sethostname", "-e", "inject=sethostname:retval=0"], ["caps", "pid"]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/✗ sethostname\(\) without it +EPERM .* 0\n/);
    expect(stdout).toMatch(/✓ getpid\(\) in the child/);
    expect(stdout).toContain("not as predicted: caps\n");
  });
  test("--explain shows each plan and makes no namespace and no mount", async () => {
    const { code, stdout, log } = await traced(["-e", "trace=clone,clone3,unshare,setns,mount"], ["--all", "--explain"]);
    expect(code).toBe(0);
    expect(log).not.toMatch(/CLONE_NEW|unshare\(|setns\(|mount\(/);
    for (const name of NAMES) expect(stdout).toMatch(new RegExp(`^${name}: `, "m"));
    expect(stdout.match(/clone\(/g)!.length).toBeGreaterThan(NAMES.length);
    expect(stdout).not.toContain("not planned here");
  }, 120_000);
});

/** Text in which … is anything within a line. */
const pattern = (text: string): RegExp => new RegExp(`^${text.split("…").map(RegExp.escape).join(".*")}$`);

describe.skipIf(reason !== undefined)("the programs of --code", () => {
  for (const lesson of LESSONS) {
    const code = codeOf(lesson);
    const skip = incomplete.includes(lesson.name) && /As root\./.test(code.split("\n")[0]!);
    test.skipIf(skip)(`${lesson.name}: under 30 lines, and prints what it says it prints`, async () => {
      expect(code.split("\n").length).toBeLessThanOrEqual(30);
      using dir = temporary();
      writeFileSync(dir.file("rootfs.tar.gz"), await rootfsTarball(true));
      const run = await shell([process.execPath, `src/lessons/code/${lesson.name}.ts`, dir.file("rootfs.tar.gz")]);
      const promised = code
        .split("\n")
        .filter((line) => line.startsWith("//> "))
        .map((line) => line.slice(4));
      expect(promised.length).toBeGreaterThan(0);
      expect({ code: run.code, stderr: run.stderr }).toEqual({ code: 0, stderr: "" });
      const printed = run.stdout.trimEnd().split("\n");
      expect(printed.length).toBe(promised.length);
      for (const [i, line] of promised.entries()) expect(printed[i]).toMatch(pattern(line));
    });
  }
  test("is the file's text, and a program for each lesson", async () => {
    expect((await demo(["mount", "--code"])).stdout).toBe(readFileSync(`${CHECKOUT}/src/lessons/code/mount.ts`, "utf8"));
    expect(readdirSync(`${CHECKOUT}/src/lessons/code`).sort()).toEqual(NAMES.map((name) => `${name}.ts`).sort());
  });
});

describe.skipIf(reason !== undefined)("wrong words", () => {
  const cases: readonly (readonly [args: readonly string[], error: string, hint: string])[] = [
    [["moun"], "no such lesson: moun", "did you mean mount?"],
    [["nothing-like-it"], "no such lesson: nothing-like-it", "the lessons are: clone pid"],
    [["--all", "pid"], "--all and the name of a lesson: one of them", ""],
    [["pid", "--explain", "--code"], "--explain and --code: one of them", ""],
    [["--explain"], "name a lesson, or --all", "nsrun demo lists them"],
  ];
  for (const [args, error, hint] of cases) {
    test(args.join(" "), async () => {
      const { code, stdout, stderr } = await demo(args);
      expect({ code, stdout }).toEqual({ code: 125, stdout: "" });
      expect(stderr).toStartWith(`nsrun: ${error}\n${hint === "" ? "" : `hint: ${hint}`}`);
    });
  }
  test("a reader that has had enough is no reason to complain", async () => {
    const { stdout, stderr } = await shell(["sh", "-c", `${NSRUN.join(" ")} demo --all --explain | head -n1`]);
    expect({ stdout, stderr }).toEqual({ stdout: "clone: fork against clone: separate and shared memory\n", stderr: "" });
  });
});

const refused = skipReason("demo where namespaces are refused", [
  [works("unshare", "-Urmpf", "--mount-proc", "setpriv", "--bounding-set", "-all", "true"), "no user namespaces here"],
]);
test.skipIf(refused !== undefined)(
  "where no namespace may be made, each lesson says so, and what would help; clone and seccomp run",
  async () => {
    const script = `echo 0 >/proc/sys/user/max_user_namespaces; exec setpriv --bounding-set -all --inh-caps -all ${NSRUN.join(" ")} demo --all --json`;
    const { code, stdout } = await shell(["unshare", "-Urmpf", "--mount-proc", "sh", "-c", script]);
    const lessons = lessonsOf(stdout);
    const possible = lessons.filter(({ status }) => status !== "impossible").map(({ name, status }) => `${name} ${status}`);
    expect({ code, possible }).toEqual({ code: 0, possible: ["clone as predicted", "seccomp as predicted"] });
    const { missing } = lessons.find(({ name }) => name === "pid")!;
    expect(missing).toEqual([
      {
        part: "the whole lesson",
        why: expect.stringMatching(/^new namespaces are refused: clone: ENOSPC/),
        remedy: expect.stringContaining("sysctl user.max_user_namespaces="),
      },
    ]);
  },
);

describe.skipIf(skipReason("demo ended early", [needsRoot, [groups(), "no cgroup"]]) !== undefined)("ended early", () => {
  /** A demo that runs its lessons over and over, until it is killed in the midst of one. */
  async function killed(signal: NodeJS.Signals, lesson: string, sign: () => boolean): Promise<number> {
    const child = Bun.spawn([...NSRUN, "demo", ...Array.from({ length: 50 }, () => lesson)], {
      cwd: CHECKOUT,
      stdin: "ignore",
      stdout: "ignore",
      stderr: "ignore",
    });
    await eventually(`a sign of ${lesson}`, sign);
    child.kill(signal);
    return await child.exited;
  }
  const dirs = () => readdirSync("/sys/fs/cgroup", { recursive: true }).filter((name) => /nsrun-lesson/.test(String(name)));
  test("kill -9 in the midst of a lesson with a cgroup leaves none", async () => {
    const before = await snapshot();
    await killed("SIGKILL", "fork-bomb", () => dirs().length > 0);
    await eventually("the cgroups to go", () => dirs().length === 0);
    expect(await snapshot()).toEqual(before);
  });
  test("SIGTERM in the midst of a lesson with a directory leaves none, and says 143", async () => {
    const made = () => readdirSync(tmpdir()).filter((name) => name.startsWith("nsrun-demo-"));
    expect(await killed("SIGTERM", "rootfs", () => made().length > 0)).toBe(143);
    expect(made()).toEqual([]);
  });
});

const terminal = skipReason("demo full on a terminal", [canRun, [works("tmux", "-V"), "tmux is not installed"]]);
test.skipIf(terminal !== undefined)("full ends in a shell, for whoever sits at a terminal", async () => {
  await using screen = await Screen.open(140, 50);
  await screen.type(`${NSRUN.join(" ")} demo full`);
  await screen.shows(/a shell in such a container.*\n(.*\n)*.*# $/m);
  await screen.type("echo pid $$ is 'a shell''s'");
  await screen.shows(/^pid 1 is a shells$/m);
  await screen.type("exit");
  await screen.shows(/\n\$ $/m);
});

const compiled = skipReason("demo of the compiled file", [
  canRun,
  [existsSync(COMPILED), "dist/nsrun is missing: bun run build"],
]);
test.skipIf(compiled !== undefined)(
  "the compiled file has all lessons and their programs in it",
  async () => {
    using dir = temporary();
    const { code, stdout, stderr } = await shell([COMPILED, "demo", "--all", "--json"], { cwd: dir.path });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expectAll(stdout);
    const program = await shell([COMPILED, "demo", "mount", "--code"], { cwd: dir.path });
    expect(program.stdout).toBe(readFileSync(`${CHECKOUT}/src/lessons/code/mount.ts`, "utf8"));
  },
  120_000,
);
