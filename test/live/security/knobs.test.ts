/** The machine's knobs, opened for writing (nothing is written): masks and read-only paths, and that root inside is nobody outside. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { canRun, isRoot, NSRUN, shell, skipReason } from "../helpers.ts";
import { bug, type Target } from "./bug.ts";
import { answersOf, hasCompiler, Programs } from "./programs.ts";

const reason = skipReason("knobs", [canRun, hasCompiler]);
let programs: Programs;
beforeAll(async () => {
  if (reason === undefined) programs = await Programs.build("bugs");
});
afterAll(() => programs?.[Symbol.dispose]());

/** Each one a way out or a way to bring the machine down, as root of the host would find it; those that this kernel has. */
const KNOBS = [
  "/proc/sys/kernel/core_pattern",
  "/proc/sys/kernel/modprobe",
  "/proc/sys/kernel/sysrq",
  "/proc/sys/vm/panic_on_oom",
  "/proc/sys/fs/binfmt_misc/register",
  "/proc/sysrq-trigger",
  "/proc/mtrr",
  "/proc/irq/default_smp_affinity",
  "/sys/kernel/uevent_helper",
  "/sys/kernel/mm/ksm/run",
].filter((path) => existsSync(path));
/** binfmt_misc is a file system of its own, which the container's /proc has not got. */
const OWN_PROC = KNOBS.filter((path) => !path.includes("binfmt_misc"));
/** What root outside may open; /proc/mtrr asks for CAP_SYS_ADMIN besides. */
const OPEN = Object.fromEntries(OWN_PROC.map((path) => [path, path === "/proc/mtrr" ? "EPERM" : "ok"]));
const all = (answer: string) => Object.fromEntries(OWN_PROC.map((path) => [path, answer]));

const open = async ({ nsrun, options }: Target, host: boolean, what: string, paths: readonly string[]) => {
  const who = host ? ["--userns", "host"] : [];
  return answersOf(await shell([...nsrun, "run", ...who, ...options, ...programs.volume, "--", "/bugs/bugs", what, ...paths]));
};
const asHost = isRoot ? undefined : "only root has them";

describe.skipIf(reason !== undefined)("knobs", () => {
  // root inside is root outside: what holds is that the mounts are read-only
  bug({
    name: "knobs: core_pattern, sysrq, mtrr, irq, uevent_helper, ksm: none can be opened for writing",
    skip: asHost,
    without: { options: ["--unmask", "all"] },
    attack: (target) => open(target, true, "writable", OWN_PROC),
    held: all("EROFS"),
    open: OPEN,
  });
  // nothing is masked: what holds is that root inside is not root outside, to whom they belong
  bug({
    name: "knobs: without masks root inside is still not the host's uid 0",
    skip: asHost,
    without: { options: ["--userns", "host"] },
    attack: (target) => open({ ...target, options: ["--unmask", "all", ...target.options] }, false, "writable", OWN_PROC),
    held: all("EACCES"),
    open: OPEN,
  });
  bug({
    name: "knobs: /proc/kmsg cannot be read without the capability",
    skip: asHost,
    without: { options: ["--cap-add", "syslog"] },
    attack: (target) => open(target, true, "readable", ["/proc/kmsg"]),
    held: { "/proc/kmsg": "EPERM" },
    open: { "/proc/kmsg": "ok" },
  });
});

test.skipIf(reason !== undefined)("knobs: an ordinary container has none, whoever started it", async () => {
  const found = await open({ nsrun: NSRUN, bun: [], options: [] }, false, "writable", [...KNOBS, "/dev/kmsg", "/dev/mem"]);
  expect(Object.values(found).filter((answer) => !/^(EROFS|EACCES|EPERM|ENOENT)$/.test(answer))).toEqual([]);
});
