/** Where no cache can be written the default root is made in memory, whichever way the kernel wants its layers. */
import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { HOST_SAID, isRoot, NSRUN, shell, skipReason, temporary } from "./helpers.ts";
import { kernelCan, MAPPED_TMPFS } from "./kernel.ts";

const reason = skipReason("a root in memory", [
  [isRoot, "an ordinary user has no trusted attributes and no idle mounts: he needs a cache"],
]);
const script = "rmdir /opt && mkdir /opt && touch /new && ls -d /opt /new /l 2>/dev/null; id -u";

const mapsOwners = reason === undefined && (await kernelCan(MAPPED_TMPFS));

describe.skipIf(reason !== undefined)("without a cache", () => {
  for (const userns of ["auto", "host"])
    for (const recipe of ["detached", "paths"]) {
      const name = `--userns ${userns}, recipe ${recipe}`;
      const setUp = () => {
        const dir = temporary();
        writeFileSync(`${dir.path}/file`, "");
        const env = { NSRUN_CACHE: `${dir.path}/file/cache`, NSRUN_ROOT_RECIPE: recipe };
        return { env, [Symbol.dispose]: () => dir[Symbol.dispose]() };
      };
      test(`a root is complete and can be written, or the error says what does without: ${name}`, async () => {
        using place = setUp();
        const { stdout, stderr } = await shell([...NSRUN, "run", "--userns", userns, "--", "sh", "-c", script], place);
        const told = userns === "host" ? HOST_SAID : "";
        if (userns === "host" || mapsOwners) expect({ stdout, stderr }).toEqual({ stdout: "/new\n/opt\n0\n", stderr: told });
        else expect(stderr).toMatch(/^nsrun: .*owners of the lower layer: EINVAL.*\nhint: .*--userns host.*\n$/);
      });
      test.skipIf(userns === "auto" && !mapsOwners)(`two containers of one process have a root each: ${name}`, async () => {
        using place = setUp();
        const code = `const { run } = await import("${process.cwd()}/src/index.ts");
          const options = { userns: "${userns}" };
          const one = await run("touch /mark; ls / | grep -c mark", options), two = await run("ls / | grep -c mark", options);
          console.log(one.stdout + two.stdout);`;
        const { stdout, stderr } = await shell([process.execPath, "-e", code], place);
        expect({ stdout, stderr }).toEqual({ stdout: "1\n0\n\n", stderr: "" });
      });
    }
});
