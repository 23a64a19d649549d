/** buildPlan is pure: the plans of typical containers are compared with golden texts. BUN_UPDATE=1 writes them anew. */
import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { buildPlan } from "../../src/plan/build.ts";
import { renderPlan } from "../../src/plan/render.ts";
import { base, CASES } from "./cases.ts";
import { rootless, spec } from "./spec.ts";

for (const [name, plan] of Object.entries(CASES)) {
  test(`the plan "${name}" is the golden one`, () => {
    const file = `fixtures/golden/plans/${name}.txt`;
    const text = renderPlan(plan);
    if (process.env.BUN_UPDATE === "1") writeFileSync(file, text);
    expect(text).toBe(readFileSync(file, "utf8"));
  });
}

test("every plan ends each branch: a jump has its mark, and nothing runs on after the last step", () => {
  for (const plan of Object.values(CASES)) {
    const marks = new Set(plan.child.flatMap((step) => step.mark ?? []));
    for (const step of plan.child) if (step.jump !== undefined) expect(marks.has(step.jump)).toBe(true);
    expect(plan.child.at(-1)?.call).toBe("exit_group");
  }
});

test("whoever waits for the parent is let go by it, and nobody else waits", () => {
  for (const plan of Object.values(CASES)) {
    expect(plan.child.some((step) => step.label === "wait for the parent's go")).toBe(plan.between.length > 0);
    expect(plan.waits).toBe(plan.between.length > 0);
  }
});

test("an uplink is the stage's, dies with it, holds none of our descriptors, and is swept when the container is dead", () => {
  for (const name of ["uplink", "uplink-rw", "uplink-rootless-slirp"]) {
    const { child } = CASES[name]!;
    const mine = child.filter((step) => step.lane === "uplink").map((step) => step.call);
    expect([mine[0], mine.at(-1)]).toEqual(["prctl", "execve"]);
    expect(mine.filter((call) => call === "close_range").length).toBe(2);
    const calls = child.map((step) => step.call);
    expect(calls.indexOf("sweep")).toBe(calls.indexOf("watch") + 1);
    // the container must see the end of a ready pipe to which nobody will write
    const container = child.findIndex((step) => step.jump === "watch");
    expect(child.findIndex((step) => step.mark === "uplinked")).toBeLessThan(container);
  }
});

test("descriptors are closed before the command's working directory is entered", () => {
  for (const plan of Object.values(CASES)) {
    const payload = plan.child.filter((step) => step.lane === "payload").map((step) => step.call);
    expect(payload.lastIndexOf("close_range")).toBeLessThan(payload.indexOf("fchdir"));
  }
});

/** Which arguments of a call are paths that are walked. */
const PATHS: Readonly<Record<string, readonly number[]>> = {
  ...{ mount: [1], umount2: [0], mount_setattr: [1], open_tree: [1], move_mount: [1, 3], chdir: [0], openat: [1], unlinkat: [1] },
  ...{ mknodat: [1], mkdirat: [1], symlinkat: [2], fchownat: [1], fchmodat: [1], setxattr: [0], statfs: [0] },
};

test("once nsrun's own mounts are there, nothing is reached through a name in /dev, /proc or /sys of the root", () => {
  const terminal = { termios: undefined, size: new Uint8Array(8), input: true, caller: undefined };
  const stdio = ["terminal", "terminal", "terminal"] as const;
  const withTerminal = [spec, rootless].map((make) => buildPlan(make({ process: { ...base.process, terminal, stdio } })));
  for (const plan of [...Object.values(CASES), ...withTerminal]) {
    const from = plan.child.findIndex((step) => step.label === "find /proc");
    const walked = plan.child.slice(from < 0 ? plan.child.length : from).filter((step) => step.lane === "container");
    // openat2 says itself what it follows
    for (const { call, args } of walked) {
      for (const index of PATHS[call] ?? []) {
        const [dir, path] = [args[index - 1], args[index]];
        // below a descriptor that was found for this purpose, or our own tmpfs
        if (call !== "mount" && typeof dir === "object" && dir !== null && JSON.stringify(dir) !== '{"slot":"root"}') continue;
        if (typeof path === "string") expect(path).not.toMatch(/^(dev|proc|sys|etc)(\/|$)/);
      }
    }
  }
});

test("the command begins in a session of its own, so that TIOCSTI cannot reach the caller's terminal", () => {
  for (const plan of Object.values(CASES)) expect(plan.child.find((step) => step.lane === "payload")?.call).toBe("setsid");
});

test("Landlock comes last: after no_new_privs, after every step that needs a path, right before the command", () => {
  const calls = CASES.landlock!.child.filter((step) => step.lane === "payload").map((step) => step.call);
  const at = calls.indexOf("landlock_restrict_self");
  expect(calls.indexOf("prctl", calls.indexOf("capset"))).toBeLessThan(calls.indexOf("landlock_create_ruleset"));
  // the prctl asks whether the filter is there
  expect(new Set(calls.slice(at + 1))).toEqual(new Set(["rt_sigprocmask", "seccomp", "prctl", "execve"]));
});

test("a plan is data: it survives JSON", () => {
  for (const plan of Object.values(CASES)) expect(JSON.parse(JSON.stringify(plan)).child.length).toBe(plan.child.length);
});
