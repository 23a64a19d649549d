/** CVE-2016-9962: a process inside, with every capability it can have there, waits for nsrun's process that joins. */
import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Supervised } from "../../../src/container/container.ts";
import { Slots } from "../../../src/container/slots.ts";
import { must } from "../../../src/ffi/syscall.ts";
import { type Container, container } from "../../../src/index.ts";
import { buildJoin } from "../../../src/plan/join.ts";
import type { Plan } from "../../../src/plan/step.ts";
import { canRun, isRoot, shell, skipReason, temporary, works } from "../helpers.ts";

const reason = skipReason("joining under attack", [canRun, [works("gcc", "--version"), "gcc is not installed"]]);
const JOINS = 60;

interface Seen {
  readonly seen: number;
  readonly executable: number;
  readonly memory: number;
  readonly descriptors: number;
  readonly traced: number;
}

/** The plan without the two calls that make the joining process nobody's to look at. */
const dumpable = (plan: Plan): Plan => ({ ...plan, child: plan.child.filter((step) => step.label !== "not to be traced") });

async function joinOnce(box: Container, change: (plan: Plan) => Plan): Promise<void> {
  const slots = new Slots();
  slots.own("pidfd", must("open the container", "pidfd_open", box.pid, 0));
  const stdio = ["inherit", "inherit", "inherit"] as const;
  const plan = change(buildJoin(box.spec, { ...box.spec.process, args: ["/bin/true"], init: false, stdio }));
  const process = new Supervised({ plan, slots, title: "joiner" }).start();
  await process.ended;
  await process.closed;
}

/** What the attacker counted while `change`d joins came in. */
async function attacked(change: (plan: Plan) => Plan): Promise<Seen> {
  using dir = temporary();
  const program = join(dir.path, "joiner");
  const built = await shell(["gcc", "-O2", "-static", "-o", program, join(import.meta.dir, "joiner.c")]);
  if (built.code !== 0) throw new Error(built.stderr);
  await using box = await container({ volume: [`${dir.path}:/v`], capAdd: ["all"], seccomp: "none" });
  const attack = box.exec(["/v/joiner", "/v"]);
  for (let i = 0; i < JOINS; i++) await joinOnce(box, change);
  writeFileSync(join(dir.path, "stop"), "");
  return JSON.parse((await attack).stdout) as Seen;
}

describe.skipIf(reason !== undefined)("a process that joins", () => {
  test("is seen, but shows neither its file, memory nor descriptors, and cannot be traced", async () => {
    const { seen, ...shown } = await attacked((plan) => plan);
    expect(seen).toBeGreaterThan(0);
    expect(shown).toEqual({ executable: 0, memory: 0, descriptors: 0, traced: 0 });
  }, 60_000);
  // root's joiner changes its user, and the kernel makes it undumpable then: the calls are the second belt there
  const control = "negative control: were it dumpable, all that would be open";
  if (isRoot) console.log(`skip: ${control}: root's joiner is undumpable by its change of user as well`);
  test.skipIf(isRoot)(
    control,
    async () => {
      const { executable, memory, traced } = await attacked(dumpable);
      expect(Math.min(executable, memory, traced)).toBeGreaterThan(0);
    },
    60_000,
  );
});
