/** The faces of a plan are pure: text, JSON, shell script, diagram, and what observers make of it. */
import { expect, test } from "bun:test";
import { fold } from "../../src/plan/fold.ts";
import { planJson } from "../../src/plan/json.ts";
import { manPage, reason } from "../../src/plan/manual.ts";
import { planMermaid } from "../../src/plan/mermaid.ts";
import { ociConfig } from "../../src/plan/oci.ts";
import { planScript } from "../../src/plan/sh.ts";
import { word } from "../../src/plan/sh-words.ts";
import type { Plan, SyscallStep } from "../../src/plan/step.ts";
import { stepped } from "../../src/plan/stepped.ts";
import { planText, planVerbose, wrap } from "../../src/plan/text.ts";
import { timed } from "../../src/plan/timed.ts";
import { timeline } from "../../src/plan/timeline.ts";
import { timesOf } from "../../src/plan/times.ts";
import { CASES } from "./cases.ts";
import { rootless, spec } from "./spec.ts";

const PLANS = Object.values(CASES);

test("no line is longer than the terminal is wide", () => {
  for (const columns of [60, 80, 100, 160]) {
    for (const plan of PLANS) {
      const lines = [planText(plan, columns), planVerbose(plan, columns)].join("\n").split("\n");
      expect(lines.filter((line) => line.length > columns)).toEqual([]);
    }
  }
});

test("every step is in one line of the folded text, and in its order", () => {
  for (const plan of PLANS) {
    const groups = fold(timeline(plan));
    const steps = timeline(plan);
    expect(groups.flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, i) => first + i))).toEqual(
      steps.map((_, i) => i + 1),
    );
    for (const { first, last, lane, telling } of groups) {
      const mine = steps.slice(first - 1, last);
      expect(mine.every((step) => step.lane === lane)).toBe(true);
      expect(mine).toContain(telling);
    }
  }
});

test("thirty steps fit one screen of 40 lines, the default's hundred and fifty take eighty-one", () => {
  const thirty: Plan = { prepare: [], between: [], waits: false, child: CASES.default!.child.slice(0, 30) };
  expect(planText(thirty, 100).split("\n").length).toBeLessThanOrEqual(40);
  expect(planText(CASES.default!, 100).split("\n").length).toBeLessThanOrEqual(81);
});

test("words are wrapped and none is lost", () => {
  expect(wrap("a|bb|ccc, dddd", 6)).toEqual(["a|bb|", "ccc,", "dddd"]);
  expect(wrap("x".repeat(25), 10).join("")).toBe("x".repeat(25));
  expect(wrap("", 10)).toEqual([""]);
});

test("every step has a man page and a reason", () => {
  for (const plan of PLANS) {
    for (const step of timeline(plan)) {
      expect(manPage(step)).toMatch(/\([1-8](const)?\)|overlayfs/);
      expect([step.label, (reason(step) ?? "").length > 5]).toEqual([step.label, true]);
    }
  }
});

test("the man page of a prctl or ioctl is its operation's", () => {
  const page = (label: string) => manPage(timeline(CASES.default!).find((step) => step.label === label)!);
  expect(page("die with the stage")).toBe("PR_SET_PDEATHSIG(2const)");
  expect(page("no new privileges")).toBe("PR_SET_NO_NEW_PRIVS(2const)");
  expect(page("may be looked at again")).toBe("PR_SET_DUMPABLE(2const)");
  expect(page("set lo up")).toBe("netdevice(7)");
});

test("the JSON is version 1, has the timeline's steps and nothing but data", () => {
  for (const plan of PLANS) {
    const json = JSON.parse(JSON.stringify(planJson(plan)));
    expect([json.version, json.steps.length]).toEqual([1, timeline(plan).length]);
    for (const [i, step] of json.steps.entries()) {
      expect(step.number).toBe(i + 1);
      expect(["parent", "stage", "uplink", "container", "payload"]).toContain(step.lane);
      expect([typeof step.label, typeof step.text, typeof step.man, Array.isArray(step.call.args)]).toEqual([
        "string",
        "string",
        "string",
        true,
      ]);
    }
  }
});

test("a mount in the JSON has its flags by value and by name, and what may fail says so", () => {
  const { steps } = planJson(CASES.default!);
  const shm = steps.find((step) => step.label === "mount a tmpfs on /dev/shm");
  expect(shm?.call).toEqual({
    name: "mount",
    args: ["shm", "shm", "tmpfs", { value: 14, text: "MS_NOSUID|MS_NODEV|MS_NOEXEC" }, "mode=1777,size=65536k"],
  });
  expect(steps.filter((step) => step.call.name === "execve").map((step) => "may_fail" in step)).toEqual([true, false]);
  expect(steps.find((step) => step.call.name === "execve")?.call.args.slice(1)).toEqual([
    { strings: ["true"] },
    { strings: ["PATH=/bin:/sbin"] },
  ]);
});

const SPECS = {
  default: spec(),
  rootless: rootless(),
  quoting: spec({ process: { ...spec().process, args: ["sh", "-c", "echo 'a\"b$c\nEND\n'"], env: ["A=x y'z"] } }),
  terminal: spec({
    process: {
      ...spec().process,
      stdio: ["terminal", "terminal", "terminal"],
      terminal: { termios: undefined, size: new Uint8Array(8), input: true, caller: undefined },
    },
  }),
  chroot: spec({ scratch: [], root: { lower: "/l x", layer: "bind", readOnly: true, chroot: true, anchor: "/mnt" } }),
  shared: spec({ root: undefined, namespaces: { ...spec().namespaces, mnt: { mode: "share" } } }),
};

test("the script is a shell's, whatever is in the command", () => {
  for (const one of Object.values(SPECS)) {
    const script = planScript(one);
    const { exitCode, stderr } = Bun.spawnSync(["sh", "-n"], { stdin: Buffer.from(script) });
    expect([exitCode, stderr.toString()]).toEqual([0, ""]);
  }
  expect(planScript(SPECS.terminal)).not.toContain("console"); // the terminal is the caller's
  expect(["a/b=c", "a b", "it's", ""].map(word)).toEqual(["a/b=c", "'a b'", "'it'\\''s'", "''"]);
});

test("every line of the diagram is mermaid's, between lanes that it has declared", () => {
  for (const plan of PLANS) {
    const [first, ...lines] = planMermaid(plan).trimEnd().split("\n");
    expect(first).toBe("sequenceDiagram");
    const names = lines.flatMap((line) => /^ {2}participant (\w+) as .+$/.exec(line)?.[1] ?? []);
    for (const line of lines.slice(names.length)) {
      const [, from, to] = /^ {2}(\w+)--?>>(\w+): (?:[^#;<>]|#\d+;|<br\/>)+$/.exec(line) ?? [];
      expect([line, names.includes(from ?? ""), names.includes(to ?? "")]).toEqual([line, true, true]);
    }
  }
});

test("a config.json says what the spec says", () => {
  const rlimits = [{ name: "nofile", resource: 7, soft: 1, hard: 2 }];
  const process = { ...spec().process, rlimits };
  const config = ociConfig(spec({ process }), 5n);
  expect(config).toMatchObject({
    hostname: "box",
    root: { path: "/lower", readonly: true },
    process: {
      args: ["true"],
      cwd: "/",
      capabilities: { bounding: ["CAP_CHOWN", "CAP_KILL"], effective: ["CAP_CHOWN", "CAP_KILL"] },
      rlimits: [{ type: "RLIMIT_NOFILE", soft: 1, hard: 2 }],
      noNewPrivileges: true,
    },
    linux: {
      maskedPaths: ["/proc/kcore", "/proc/keys", "/proc/acpi", "/sys/firmware"],
      readonlyPaths: ["/proc/sys", "/sys/fs/cgroup"],
      seccomp: { defaultAction: "SCMP_ACT_ERRNO", defaultErrnoRet: 38 },
    },
  });
  const ambient = { bounding: ["CAP_CHOWN", "CAP_NET_RAW"], ambient: ["CAP_NET_RAW"], init: [] };
  expect(ociConfig(spec({ process: { ...process, uid: 1, capabilities: ambient } }), 0n)).toMatchObject({
    process: { capabilities: { bounding: ambient.bounding, effective: ["CAP_NET_RAW"], ambient: ["CAP_NET_RAW"] } },
  });
  // who cannot drop any gives what there is: five is chown and dac_read_search
  const none = { bounding: undefined, ambient: [], init: [] };
  expect(ociConfig(spec({ process: { ...process, capabilities: none } }), 5n)).toMatchObject({
    process: { capabilities: { bounding: ["CAP_CHOWN", "CAP_DAC_READ_SEARCH"] } },
  });
  expect(ociConfig(rootless({ process: { ...process, capabilities: none } }), 0n)).toMatchObject({
    linux: { uidMappings: [{ containerID: 0, hostID: 1000, size: 1 }] },
    process: { capabilities: { bounding: { length: 41 } } },
  });
  expect(ociConfig(spec({ process: { ...process, seccomp: undefined, noNewPrivileges: false } }), 0n)).not.toHaveProperty(
    "linux.seccomp",
  );
  const file = { ...process, seccomp: { ...process.seccomp!, own: false } };
  expect(() => ociConfig(spec({ process: file }), 0n)).toThrow("--plan=oci: the file of --seccomp");
  expect(() => ociConfig(SPECS.shared, 0n)).toThrow("--plan=oci: an OCI container has a mount namespace");
});

/** An observer's plan without the observer's steps. */
const unobserved = (child: readonly SyscallStep[]) => child.filter((step) => !step.observing);

for (const [name, observe] of Object.entries({ timed, stepped })) {
  test(`a plan that is ${name} makes the same calls in the same order, and its clones find their marks`, () => {
    for (const plan of PLANS) {
      const other = observe(plan);
      const calls = (child: readonly SyscallStep[]) => child.map(({ lane, call, label }) => [lane, call, label]);
      expect(calls(unobserved(other.child))).toEqual(calls(plan.child));
      expect(timeline(other).length).toBe(timeline(plan).length);
      const marks = other.child.flatMap((step) => step.mark ?? []);
      expect(marks.sort()).toEqual(plan.child.flatMap((step) => step.mark ?? []).sort());
      expect(other.child.filter((step) => step.observing && step.store).length).toBe(0);
    }
  });
}

test("times: each step's is the time since the one before in its own process", () => {
  const plan = CASES.default!;
  const n = plan.child.length;
  const stamps = Array.from({ length: 2 * n + 2 }, (_, i) => BigInt(1_000_000 + (i >> 1) * 1000));
  stamps[2 * n] = 999_000n; // the stage's begin: a microsecond before its first step
  const times = timesOf(plan, { parent: new Map(), starting: 900_000n, stamps });
  const us = (label: string) => times.steps.find((step) => step.label === label)?.us;
  expect(us("reset all signal dispositions")).toBe(1);
  expect(us("start the stage")).toBe(99);
  expect(us("umask 022")).toBe(1);
  expect(times.totals.mounts).toBeGreaterThan(10);
});
