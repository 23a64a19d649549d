/** Where no cache can be written the default root is made in memory, whichever way the kernel wants its layers. */
import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { isRoot, NSRUN, skipReason, temporary } from "./helpers.ts";

const reason = skipReason("a root in memory", [
  [isRoot, "an ordinary user has no trusted attributes and no idle mounts: he needs a cache"],
]);
const script = "rmdir /opt && mkdir /opt && touch /new && ls -d /opt /new /l 2>/dev/null; id -u";

describe.skipIf(reason !== undefined)("without a cache", () => {
  for (const recipe of ["detached", "paths"]) {
    test(`a root made by the recipe "${recipe}" is complete and can be written`, () => {
      using dir = temporary();
      writeFileSync(`${dir.path}/file`, "");
      const env = { ...process.env, NSRUN_CACHE: `${dir.path}/file/cache`, NSRUN_ROOT_RECIPE: recipe };
      const run = Bun.spawnSync([...NSRUN, "run", "--", "sh", "-c", script], { env });
      expect(run.stdout.toString()).toBe("/new\n/opt\n0\n");
    });
  }
  test("two containers of one process have a root each, by paths too", () => {
    using dir = temporary();
    writeFileSync(`${dir.path}/file`, "");
    const code = `const { run } = await import("${process.cwd()}/src/index.ts");
      const one = await run("touch /mark; ls / | grep -c mark"), two = await run("ls / | grep -c mark");
      console.log(one.stdout + two.stdout);`;
    for (const recipe of ["detached", "paths"]) {
      const env = { ...process.env, NSRUN_CACHE: `${dir.path}/file/cache`, NSRUN_ROOT_RECIPE: recipe };
      expect(Bun.spawnSync([process.execPath, "-e", code], { env }).stdout.toString()).toBe("1\n0\n\n");
    }
  });
});
