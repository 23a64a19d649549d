/** The caller's terminal, and the container's own. Through script(1), which is the caller's terminal. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { canRun, shell, skipReason, temporary, works } from "../helpers.ts";
import { Attacks } from "./attacks.ts";
import { bug } from "./bug.ts";
import { answersOf, hasCompiler, Programs } from "./programs.ts";

const reason = skipReason("attacks on terminals", [canRun, hasCompiler, [works("script", "--version"), "script is missing"]]);
let programs: Programs;
let attacks: Attacks;
beforeAll(async () => {
  if (reason !== undefined) return;
  programs = await Programs.build("bugs");
  attacks = await Attacks.build();
});
afterAll(() => {
  programs?.[Symbol.dispose]();
  attacks?.[Symbol.dispose]();
});

const quoted = (words: readonly string[]) => words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
/** `argv` at a terminal; TERM is set, for a shell's sake. */
const atTerminal = (argv: readonly string[]) => shell(["script", "-qec", quoted(argv), "/dev/null"], { env: { TERM: "dumb" } });

describe.skipIf(reason !== undefined)("the caller's terminal", () => {
  // -i hands it on as descriptor 0; without the filter the session is what is left. Where dev.tty.legacy_tiocsti is 0 the kernel
  // refuses TIOCSTI to everybody with EIO: that it is nobody's controlling terminal inside is seen by /dev/tty as well
  bug({
    name: "CVE-2017-5226: a command that has it as a stream can neither control it nor type into it",
    without: { rows: ["own session"] },
    attack: async ({ nsrun }) => {
      const inside = ["run", "-i", "--seccomp", "none", ...programs.volume, "--", "/bugs/bugs", "terminal"];
      return answersOf(await atTerminal([...nsrun, ...inside]));
    },
    held: { terminal: "ok", controls: "ENXIO", types: expect.stringMatching(/^(EPERM|EIO)$/) },
    open: { terminal: "ok", controls: "ok", types: expect.stringMatching(/^(ok|EIO)$/) },
  });
  bug({
    name: "CVE-2017-5226: the filter refuses TIOCSTI and TIOCLINUX whatever the terminal",
    without: { options: ["--seccomp", "none"] },
    attack: ({ nsrun, options }) => attacks.run(options, ["tiocsti", "tioclinux"], nsrun),
    held: { tiocsti: "EPERM", tioclinux: "EPERM" },
    open: { tiocsti: "ENOTTY", tioclinux: "ENOTTY" }, // the kernel's own answer for /dev/null
  });
  bug({
    name: "CVE-2019-10063: garbage in the high word does not get TIOCSTI past the filter",
    both: ["filter compiled anew"],
    without: { rows: ["32-bit arguments"] },
    attack: ({ nsrun }) => attacks.run([], ["tiocsti", "tiocsti_high"], nsrun),
    held: { tiocsti: "EPERM", tiocsti_high: "EPERM" },
    open: { tiocsti: "EPERM", tiocsti_high: "ENOTTY" },
  });
  test("CVE-2019-10063: nor past the filter that is stored in nsrun", async () => {
    expect(await attacks.run([], ["tiocsti_high"])).toEqual({ tiocsti_high: "EPERM" });
  });
});

describe.skipIf(reason !== undefined)("the container's terminal", () => {
  bug({
    name: "CVE-2025-52565: a volume on /dev/pts whose names are links puts nothing of the host on /dev/console",
    without: { rows: ["terminal by descriptor"] },
    attack: async ({ nsrun }) => {
      using dir = temporary();
      chmodSync(dir.path, 0o755);
      mkdirSync(dir.file("pts"));
      writeFileSync(dir.file("secret"), "secret of the host\n");
      symlinkSync("/dev/ptmx", dir.file("pts/ptmx"));
      symlinkSync(dir.file("secret"), dir.file("pts/0"));
      const inside = ["run", "-v", `${dir.file("pts")}:/dev/pts`, "--", "cat", "/dev/console"];
      const { code, stdout } = await atTerminal([...nsrun, ...inside]);
      return [code, /secret of the host|new terminal's master: ELOOP/.exec(stdout)?.[0]];
    },
    held: [125, "new terminal's master: ELOOP"],
    open: [0, "secret of the host"],
  });
});
