/** What joins a container, and what stays in it, against a program inside with every capability that it can have there. */
import { afterAll, beforeAll, describe, expect } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { canRun, isRoot, shell, skipReason } from "../helpers.ts";
import { bug, type Target } from "./bug.ts";
import { answersOf, hasCompiler, Programs } from "./programs.ts";

const reason = skipReason("joining under attack", [canRun, hasCompiler]);
let programs: Programs;
beforeAll(async () => {
  if (reason === undefined) programs = await Programs.build("joiner", "bugs");
});
afterAll(() => programs?.[Symbol.dispose]());

const ABLE = { capAdd: ["all"], seccomp: "none" };
const SOME = "some";
/** Where files of the host belong to root inside: as root only without a user namespace. */
const AS_HOST = isRoot ? { ...ABLE, userns: "host" } : ABLE;

/** What the program inside said of the joins, with "some" for a count above zero. */
async function joins({ bun }: Target, options: object, command: readonly string[]): Promise<Record<string, unknown>> {
  const { dir } = programs;
  rmSync(dir.file("stop"), { force: true });
  mkdirSync(dir.file("runners"), { recursive: true });
  const script = new URL("join.ts", import.meta.url).pathname;
  const env = { NSRUN_TEST_RUNNERS: dir.file("runners") };
  const { code, stdout, stderr } = await shell([...bun, script, JSON.stringify(options), dir.path, ...command], { env });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const counts = Object.entries(JSON.parse(stdout) as Record<string, number | string>);
  return Object.fromEntries(counts.map(([name, count]) => [name, typeof count === "number" && count > 0 ? SOME : count]));
}
/** Whether what lies on the host was written into. */
function spoilt(): boolean {
  const runners = programs.dir.file("runners");
  const files = readdirSync(runners).map((name) => readFileSync(`${runners}/${name}`).subarray(0, 5).toString());
  for (const name of readdirSync(runners)) rmSync(`${runners}/${name}`);
  return files.includes("pwned");
}

describe.skipIf(reason !== undefined)("a process that joins", () => {
  bug({
    name: "CVE-2016-9962: it is seen, but shows neither its file, memory nor descriptors, and cannot be traced",
    without: { rows: ["not dumpable"] },
    attack: (target) => joins(target, ABLE, ["/v/joiner", "/v"]),
    held: { seen: SOME, executable: 0, memory: 0, descriptors: 0, traced: 0 },
    // dumpable it is made anew by the control: a change of ids takes that away from root's joiner, whatever nsrun does
    open: { seen: SOME, executable: SOME, memory: SOME, descriptors: expect.anything(), traced: SOME },
  });

  // it may be looked at in both runs, or the attacker would not come as far as its file
  const overwritten = async (target: Target) => ({
    ...(await joins(target, AS_HOST, ["/v/bugs", "overwrite", "/v"])),
    host: spoilt(),
  });
  bug({
    name: "CVE-2019-5736: the file that it ran from cannot be written, and is none of the host's",
    both: ["not dumpable"],
    without: { rows: ["private memory file"] },
    attack: overwritten,
    held: { held: SOME, written: 0, refused: "EPERM", host: false },
    open: { held: SOME, written: SOME, refused: expect.any(String), host: true },
  });
  bug({
    name: "CVE-2019-5736: the memory file is sealed",
    both: ["not dumpable"],
    without: { rows: ["seals"] },
    attack: overwritten,
    held: { held: SOME, written: 0, refused: "EPERM", host: false },
    open: { held: SOME, written: SOME, refused: expect.any(String), host: false },
  });
});

describe.skipIf(reason !== undefined)("what stays inside", () => {
  bug({
    name: "CVE-2019-5736: no process that is seen inside runs from a file of the host's",
    without: { rows: ["private memory file"] },
    attack: async ({ nsrun }) => {
      const env = { NSRUN_TEST_RUNNERS: programs.dir.path };
      const able = ["--cap-add", "all", "--seccomp", "none"]; // or pid 1 would show nothing
      return answersOf(await shell([...nsrun, "run", ...able, ...programs.volume, "--", "/bugs/bugs", "exes"], { env }));
    },
    held: { 1: "/memfd:nsrun (deleted)", 2: "/bugs/bugs" },
    open: { 1: expect.stringMatching(/\/nsrun-\d+/), 2: "/bugs/bugs" },
  });
});
