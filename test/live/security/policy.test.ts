/** What a command begins with, line by line of the default policy, whatever its caller was: seen from inside, each with its control. */
import { afterAll, beforeAll, describe, expect } from "bun:test";
import { rmSync } from "node:fs";
import { canRun, isRoot, shell, skipReason, smallRoot, type Temporary, temporary } from "../helpers.ts";
import { bug, type Target } from "./bug.ts";

const reason = skipReason("the default policy", [canRun]);
let dir: Temporary;
beforeAll(() => {
  dir = temporary();
});
afterAll(() => dir[Symbol.dispose]());

/** A caller with a mask of 000, signals blocked, variables of his own, no limits to speak of. */
const CALLER = ["sh", "-c", 'umask 0; ulimit -c unlimited; exec env --block-signal=USR1 SECRET=mine TERM=dumb "$@"', "sh"];
const inside = async ({ nsrun, options }: Target, script: string, more: readonly string[] = []) =>
  (await shell([...CALLER, ...nsrun, "run", ...more, ...options, "--", "sh", "-c", script])).stdout.trim();
const status = (fields: string) => `grep -E '^(${fields}):' /proc/$$/status | tr -d '\\n'`;

describe.skipIf(reason !== undefined)("policy by default", () => {
  bug({
    name: "policy: umask 022",
    without: { rows: ["umask"] },
    attack: (target) => inside(target, "umask"),
    held: "0022",
    open: "0000",
  });
  bug({
    name: "policy: no signal is ignored",
    without: { rows: ["signals reset"] },
    attack: (target) => inside(target, "exec grep SigIgn /proc/self/status"),
    held: "SigIgn:\t0000000000000000",
    open: "SigIgn:\t0000000001001000", // PIPE and XFSZ, which Bun ignores
  });
  bug({
    name: "policy: no signal is blocked",
    without: { rows: ["mask reset"] },
    attack: (target) => inside(target, status("SigBlk")),
    held: "SigBlk:\t0000000000000000",
    open: expect.stringMatching(/^SigBlk:\tf/), // between clone and exec all are
  });
  bug({
    name: "policy: the environment is built from scratch",
    without: { rows: ["environment from scratch"] },
    attack: (target) => inside(target, "echo $SECRET"),
    held: "",
    open: "mine",
  });
  bug({
    name: "policy: open files and cores are limited",
    without: { rows: ["limits"] },
    attack: (target) => inside(target, "ulimit -Sn; ulimit -c"),
    held: "1024\n0",
    open: expect.stringMatching(/\nunlimited$/),
  });
  bug({
    name: "policy: no_new_privs",
    without: { options: ["--new-privileges"] },
    attack: (target) => inside(target, status("NoNewPrivs")),
    held: "NoNewPrivs:\t1",
    open: "NoNewPrivs:\t0",
  });
  bug({
    name: "policy: eight capabilities",
    without: { options: ["--cap-add", "all"] },
    attack: (target) => inside(target, status("CapPrm|CapEff|CapBnd|CapAmb")),
    held: "CapPrm:\t00000000000004fbCapEff:\t00000000000004fbCapBnd:\t00000000000004fbCapAmb:\t0000000000000000",
    open: expect.stringMatching(/^CapPrm:\t000001ffffffffff/),
  });
  bug({
    name: "policy: a filter",
    without: { options: ["--seccomp", "none"] },
    attack: (target) => inside(target, status("Seccomp")),
    held: "Seccomp:\t2",
    open: "Seccomp:\t0",
  });
  bug({
    name: "policy: /proc is nosuid, nodev, noexec",
    without: { rows: ["flags of proc"] },
    attack: async (target) => (await inside(target, "grep ' /proc proc ' /proc/mounts")).split(" ")[3],
    held: "rw,nosuid,nodev,noexec,relatime",
    open: "rw,relatime",
  });
  bug({
    name: "policy: what is hidden of /proc is empty",
    without: { options: ["--unmask", "/proc/interrupts"] },
    attack: (target) => inside(target, "test -s /proc/interrupts || cat /proc/interrupts | grep -c CPU"),
    held: "0",
    open: expect.stringMatching(/^[1-9]/),
  });
  bug({
    name: "policy: device nodes of a root are dead",
    skip: isRoot ? undefined : "only root can make one",
    without: { rows: ["root without devices"] },
    attack: async (target) => {
      const root = await smallRoot(dir.file("root"));
      await shell(["mknod", "-m", "666", `${root}/zero`, "c", "1", "5"]);
      const said = await inside(target, "head -c 3 /zero 2>&1 | wc -c; : </zero 2>/dev/null && echo open", [
        ...["--userns", "host", "--rootfs", root],
      ]);
      rmSync(root, { recursive: true });
      return said.split("\n").at(-1);
    },
    held: expect.not.stringContaining("open"),
    open: "open",
  });
});
