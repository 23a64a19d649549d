/**
 * Fail closed, twice: a defence's call that says "done" and does nothing (strace's inject) is found out when the kernel is asked,
 * and the command does not run. The negative control: without the defence there is nothing to find out, and it runs.
 */
import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { asRoot, canRun, NSRUN, shell, skipReason, TRACED, temporary, works } from "./helpers.ts";

const reason = skipReason("reading back", [canRun, [works("strace", "-V"), "strace is not installed"]]);

/** Of each defence: the call that is made to lie, the step that finds out, options that go without it. */
const DEFENCES: Record<string, { call: string; found: RegExp; options?: string[]; without?: string[]; root?: true }> = {
  "the system call filter": { call: "seccomp", found: /make sure that there is a filter/, without: ["--seccomp", "none"] },
  "capabilities given up": { call: "capset", found: /make sure of status: EBADMSG.*\nhint: .*the command was not run\n$/ },
  // with a filter the kernel itself would refuse: it takes one only from who has no_new_privs
  "no_new_privs, and the bounding set": {
    call: "prctl",
    found: /make sure of status: EBADMSG/,
    options: ["--no-init", "--seccomp", "none"],
  },
  "the change of user": { call: "setresuid", found: /make sure of status: EBADMSG|EACCES|EOVERFLOW|EPERM/, root: true },
  "the change of roots": { call: "pivot_root", found: /make sure that it is the root directory: EBADMSG/, without: ["--chroot"] },
};

describe.skipIf(reason !== undefined)("a call that only says it was done:", () => {
  for (const [what, { call, found, options = [], without, root }] of Object.entries(DEFENCES))
    (root ? asRoot("without root the user is the same") : test)(`${what} (${call})`, async () => {
      using dir = temporary();
      const run = (more: readonly string[]) => {
        const lie = ["strace", "-f", "-qqq", "-o", "/dev/null", "-e", `trace=${call}`, "-e", `inject=${call}:retval=0`];
        return shell([...lie, ...NSRUN, "run", ...TRACED, ...more, "-v", `${dir.path}:/v`, "--", "touch", "/v/ran"]);
      };
      const { code, stdout, stderr } = await run(options);
      expect({ code, stdout }).toEqual({ code: 125, stdout: "" });
      expect(stderr).toMatch(found);
      expect(existsSync(dir.file("ran"))).toBe(false);
      if (!without) return;
      expect((await run(without)).stderr).toBe("");
      expect(existsSync(dir.file("ran"))).toBe(true);
    });
});
