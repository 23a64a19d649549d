/** buildPlan is pure: the plans of typical containers are compared with golden texts. BUN_UPDATE=1 writes them anew. */
import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { renderPlan } from "../../src/plan/render.ts";
import { CASES } from "./cases.ts";

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
    expect(payload.lastIndexOf("close_range")).toBeLessThan(payload.indexOf("chdir"));
  }
});

test("the command begins in a session of its own, so that TIOCSTI cannot reach the caller's terminal", () => {
  for (const plan of Object.values(CASES)) expect(plan.child.find((step) => step.lane === "payload")?.call).toBe("setsid");
});

test("a plan is data: it survives JSON", () => {
  for (const plan of Object.values(CASES)) expect(JSON.parse(JSON.stringify(plan)).child.length).toBe(plan.child.length);
});
