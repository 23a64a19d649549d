/** Out of memory inside: exit code 137 and the words; a kill on purpose has none. */
import { expect, test } from "bun:test";
import { createGroup } from "../../src/cgroup/index.ts";
import { canRun, isRoot, NSRUN, needsRoot, nsrun, shell, skipReason } from "./helpers.ts";

/** Why there is no limit of memory here, in nsrun's own words. */
function refusal(): string | undefined {
  try {
    createGroup("probe", { memory: 1 << 26 })[Symbol.dispose]();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
const why = isRoot ? refusal() : undefined;
const reason = skipReason("out of memory", [needsRoot, [why === undefined, why ?? ""]]);

test.skipIf(reason !== undefined)("the kernel's kill is told, with whom it met and the limit", async () => {
  using group = createGroup("memory", { memory: 400 << 20 });
  // nsrun is in the group too, and much smaller than what dd wants
  const join = group.directories.map((dir) => `echo $$ >${dir}/cgroup.procs`).join("; ");
  const command = [...NSRUN, "run", "--", "sh", "-c", "dd bs=600M if=/dev/zero of=/dev/null count=1; exit $?"];
  const { code, stdout, stderr } = await shell(["sh", "-c", `${join}; exec "$@"`, "sh", ...command]);
  expect([code, stdout]).toEqual([137, ""]);
  expect(stderr).toMatch(
    /(^|\n)nsrun: out of memory: the kernel has killed a process: dd \(host pid \d+, \d{3} MB\), for the memory limit of cgroup .*\/nsrun-memory-\d+-\d+\n$/,
  );
  expect(group.struck("memory")).toBe(1);
});

const live = skipReason("killed on purpose", [canRun]);
test.skipIf(live !== undefined)("a SIGKILL of somebody's has no words", async () => {
  const { code, stderr } = await nsrun(["--", "sh", "-c", "sleep 0.1; kill -9 $$; exit 137"]);
  expect([code, stderr]).toEqual([137, ""]);
});
