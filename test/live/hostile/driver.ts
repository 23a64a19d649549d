/**
 * Starts containers one after the other from a list in a file, and prints what became of each as JSON. A process of its own,
 * for the recipe of the root (NSRUN_ROOT_RECIPE) is chosen once. A mutation switches one defence off in the plan, for the
 * negative controls: nothing in nsrun itself can.
 */
import { closeSync, openSync } from "node:fs";
import { complete, resultOf, stdioSlots } from "../../../src/container/box.ts";
import { Supervised } from "../../../src/container/container.ts";
import type { ContainerOptions } from "../../../src/container/options.ts";
import { tryRecipes } from "../../../src/container/recipe.ts";
import { Slots } from "../../../src/container/slots.ts";
import { Streams } from "../../../src/container/stdio.ts";
import { type NsrunError, SyscallError } from "../../../src/errors.ts";
import { RESOLVE } from "../../../src/ffi/flags.ts";
import { sys } from "../../../src/ffi/syscall.ts";
import type { Arg, Plan, SyscallStep } from "../../../src/plan/step.ts";

/** `follow`: links lead where they do for everybody; `cross`: onto other mounts; `magic`: through descriptors of /proc. */
export type Mutation = "follow" | "cross" | "magic" | "magic, unrooted" | "dev by path" | "proc by path";

export interface Case {
  readonly name: string;
  readonly options: ContainerOptions;
  readonly mutation?: Mutation;
  /** A directory of the host as descriptor 0. */
  readonly stdin?: string;
  readonly command?: string;
}
export interface Result {
  readonly name: string;
  /** The errno's name of a step that failed, "usage" for another NsrunError, "bug" for anything else. */
  readonly error?: string;
  readonly message?: string;
  readonly exitCode?: number;
  readonly stdout?: string;
  readonly ms: number;
}

/** The RESOLVE_* flags of a plan's openat2, changed. */
function resolving(step: SyscallStep, change: (flags: number) => number): SyscallStep {
  if (step.call !== "openat2") return step;
  const how = step.args[2] as unknown as { words: number[] };
  const [flags = 0, mode = 0, resolve = 0] = how.words;
  return { ...step, args: step.args.with(2, { words: [flags, mode, change(resolve)], text: "" }) };
}

/** Root has the links of /dev made before it is mounted: as other runners do, one more of them by a path afterwards. */
const MADE_LATE: SyscallStep = {
  lane: "container",
  label: "link /dev/core",
  call: "symlinkat",
  args: ["/proc/kcore", { slot: "root" }, "dev/core"],
  tolerate: 17,
};

/** As before nsrun held /dev by its descriptor: every name in it by a path from the new root. */
function devByPath(child: readonly SyscallStep[]): SyscallStep[] {
  let inside = false;
  const early = !child.some((step) => step.call === "symlinkat");
  return child.flatMap((step) => {
    if (step.call === "fchdir") inside = (step.args[0] as { slot?: string }).slot === "dev";
    if (inside && early && step.call === "fchdir") return [{ ...step, args: [{ slot: "root" }] }, MADE_LATE];
    if (!inside) return step;
    if (step.call === "fchdir") return { ...step, args: [{ slot: "root" }] };
    const at = { mknodat: 1, symlinkat: 2, mkdirat: 1, mount: 1 }[step.call as string];
    return at === undefined ? step : { ...step, args: step.args.with(at, `dev/${step.args[at] as string}` as Arg) };
  });
}

/** A setting of the kernel written by its path from the new root, not from the descriptor of the procfs that was just made. */
const procByPath = (child: readonly SyscallStep[]): SyscallStep[] =>
  child.map((step) =>
    (step.args[0] as { slot?: string } | undefined)?.slot === "proc" && step.call === "openat"
      ? { ...step, args: step.args.with(0, { slot: "root" }).with(1, `proc/${step.args[1] as string}`) }
      : step,
  );

function mutate(plan: Plan, mutation: Mutation | undefined): Plan {
  const change = (lane: string, to: (flags: number) => number) =>
    plan.child.map((step) => (step.lane === lane ? resolving(step, to) : step));
  const anywhere = (child: SyscallStep[]) => child.filter((step) => step.call !== "on_mounts");
  if (mutation === "follow") return { ...plan, child: anywhere(change("container", () => 0)) };
  if (mutation === "proc by path") return { ...plan, child: procByPath(plan.child) };
  if (mutation === "cross") return { ...plan, child: anywhere(change("container", (flags) => flags & ~RESOLVE.RESOLVE_NO_XDEV)) };
  if (mutation === "magic") return { ...plan, child: change("payload", () => 0) };
  if (mutation === "magic, unrooted")
    return { ...plan, child: change("payload", () => 0).filter((step) => step.call !== "rooted") };
  return mutation === "dev by path" ? { ...plan, child: devByPath(plan.child) } : plan;
}

async function start({ options, mutation, command = "/bin/look" }: Case, stdin: number | "ignore"): Promise<string> {
  const streams = new Streams([stdin, "pipe", "ignore"]);
  const { spec, release, driver, programs } = await complete([command], options, streams);
  const close = () => {
    release();
    const lower = spec.root?.lower;
    if (typeof lower === "object" && !lower.shared) sys("close", lower.fd);
  };
  const process = tryRecipes(spec, (plan) => {
    const slots = new Slots(driver, programs);
    stdioSlots(slots, streams);
    if (typeof spec.root?.lower === "object") slots.set("lower", spec.root.lower.fd);
    return new Supervised({ plan: mutate(plan, mutation), slots, title: "hostile", cleanup: [close] }).start();
  });
  streams.started();
  try {
    return (await resultOf(process, streams)).stdout;
  } finally {
    await process.closed;
  }
}

async function outcome(one: Case): Promise<Result> {
  const began = performance.now();
  const stdin = one.stdin === undefined ? undefined : openSync(one.stdin, "r");
  const ms = () => performance.now() - began;
  try {
    return { name: one.name, stdout: await start(one, stdin ?? "ignore"), ms: ms() };
  } catch (error) {
    const { message, exitCode } = error as NsrunError;
    const kind = error instanceof SyscallError ? error.code : exitCode === undefined ? "bug" : "usage";
    return { name: one.name, error: kind, message, exitCode, ms: ms() };
  } finally {
    if (stdin !== undefined) closeSync(stdin);
  }
}

if (import.meta.main) {
  const cases = (await Bun.file(process.argv[2]!).json()) as Case[];
  const results: Result[] = [];
  for (const one of cases) results.push(await outcome(one));
  process.stdout.write(JSON.stringify(results));
}
