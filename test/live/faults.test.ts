/**
 * Fail closed: every step of a plan in turn is made to fail, and each time there is one error that names it, the command has
 * not run, and nothing is left. A step that could fail without this would be a defence that is not missed when it is not there.
 */
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { Supervised } from "../../src/container/container.ts";
import type { ContainerOptions } from "../../src/container/options.ts";
import { Slots } from "../../src/container/slots.ts";
import { completeSpec } from "../../src/container/spec.ts";
import { NsrunError, StepError, SyscallError } from "../../src/errors.ts";
import { buildPlan } from "../../src/plan/build.ts";
import type { Recipe } from "../../src/plan/spec.ts";
import type { Plan, Step, SyscallStep } from "../../src/plan/step.ts";
import { lastBeforeWatch } from "../../src/plan/timeline.ts";
import { asRoot, canRun, marked, marker, skipReason, snapshot, temporary } from "./helpers.ts";

const reason = skipReason("failing steps", [canRun]);

/** A call that the kernel refuses: setns(2) of no descriptor is EBADF. */
function failing(step: Step): SyscallStep {
  const { lane, label } = step;
  const marks = "call" in step ? { ...(step.mark ? { mark: step.mark } : {}) } : {};
  return { lane, label, call: "setns", args: [-1, 0], ...marks };
}

type Part = "prepare" | "child" | "between";

/** The plan with one step that fails. */
const spoilt = (plan: Plan, part: Part, index: number): Plan =>
  ({ ...plan, [part]: plan[part].map((step, i) => (i === index ? failing(step) : step)) }) as Plan;

/** Which steps are worth it: a soft one is passed over by design; in the end the stage only watches, with the command at work. */
function places(plan: Plan): [Part, number][] {
  const last = lastBeforeWatch(plan.child);
  const parts: Part[] = ["prepare", "child", "between"];
  return parts.flatMap((part) =>
    plan[part].flatMap((step, i): [Part, number][] => {
      const watching = part === "child" && step.lane === "stage" && i > last;
      return ("soft" in step && step.soft) || watching ? [] : [[part, i]];
    }),
  );
}

/** pid 1 locks itself in, and reaps, beside the command: that may have done its work before it is ended. */
function mayHaveRun(plan: Plan, part: Part, index: number): boolean {
  const command = plan.child.findLastIndex((step) => step.lane === "payload");
  return part === "child" && index > command && plan.child[index]!.lane === "container";
}

interface Kind {
  readonly options: ContainerOptions;
  readonly recipe?: Recipe;
  readonly root?: true;
}

/** Starts the spoilt plan of `options` and returns the error. */
async function outcome(command: readonly string[], { options, recipe }: Kind, part: Part, index: number): Promise<unknown> {
  const { spec, release, driver, programs } = await completeSpec(command, options, ["inherit", "inherit", "inherit"]);
  const slots = new Slots(driver, programs);
  try {
    const plan = spoilt(buildPlan(spec, recipe), part, index);
    const process = new Supervised({ plan, slots, title: spec.name, cleanup: [release] }).start();
    const error = await process.ended.then(
      () => undefined,
      (reason) => reason,
    );
    await process.closed;
    return error;
  } catch (error) {
    release();
    return error;
  }
}

const KINDS: Record<string, Kind> = {
  "the default container": { options: {} },
  "one with a tmpfs, a volume and limits": { options: { tmpfs: ["/t"], ulimit: ["core=0"], hostname: "h" } },
  "one without an init": { options: { init: false } },
  "one with a clock of its own": { options: { boottime: 5 } },
  "one in the host's user namespace": { options: { userns: "host" }, root: true },
  "one whose root the stage makes": { options: {}, recipe: "staged", root: true },
  "one whose root the stage makes, with a veth pair": { options: { net: "veth" }, recipe: "staged", root: true },
  "one with a veth pair": { options: { net: "veth" }, root: true },
};

describe.skipIf(reason !== undefined)("each step that fails ends the start of", () => {
  for (const [kind, { options, recipe, root }] of Object.entries(KINDS))
    (root ? asRoot("it is about what only root has") : test)(
      kind,
      async () => {
        using dir = temporary();
        const ran = dir.file("ran");
        const mark = marker();
        const whole = { ...options, name: mark, volume: [`${dir.path}:/v`] };
        const command = ["touch", "/v/ran"];
        const { spec, release } = await completeSpec(command, whole, ["inherit", "inherit", "inherit"]);
        const plan = buildPlan(spec, recipe);
        release();
        const before = await snapshot(mark);
        const descriptors = readdirSync("/proc/self/fd").length;
        const survivors: string[] = [];
        for (const [part, i] of places(plan)) {
          const { label } = plan[part][i]!;
          const error = await outcome(command, { options: whole, ...(recipe ? { recipe } : {}) }, part, i);
          const named = (error instanceof StepError && error.place.label === label) || error instanceof SyscallError;
          if (!(error instanceof NsrunError && named) || (existsSync(ran) && !mayHaveRun(plan, part, i)))
            survivors.push(`${part} ${i}, ${label}: ${String(error)}`);
          rmSync(ran, { force: true });
        }
        expect(survivors).toEqual([]);
        expect(places(plan).length).toBeGreaterThan(50);
        expect(readdirSync("/proc/self/fd").length).toBeLessThanOrEqual(descriptors);
        expect(marked(mark)).toEqual([]);
        expect(await snapshot(mark)).toEqual(before);
      },
      60_000,
    );
});
