/** Out of memory, in a group of one's own. */
import { run } from "../container/box.ts";
import * as code from "./code/oom.ts" with { type: "text" };
import { inGroup } from "./group.ts";
import type { Lab, Lesson } from "./lesson.ts";

const MB = 1 << 20;
const LIMIT = 32;

/** dd takes a buffer of that size, and fills it. */
const take = (mb: number): string => `dd bs=${mb}M if=/dev/zero of=/dev/null count=1 2>/dev/null`;
const SCRIPT = `${take(8)}; echo small $?; ${take(2 * LIMIT)}; echo large $?`;
const command = ["/bin/sh", "-c", SCRIPT];

export const oom: Lesson = {
  name: "oom",
  title: "who takes more memory than the group has is killed",
  will: [
    `make a control group with ${LIMIT} MB of memory, and a container in it`,
    `a program takes 8 MB, then another ${2 * LIMIT} MB: the kernel kills the second, and nobody else`,
  ],
  plans: () => [
    { title: `a container in a group of ${LIMIT} MB`, command, options: { cgroup: ["/sys/fs/cgroup/nsrun-lesson"] } },
  ],
  code,
  run: (lab: Lab) =>
    inGroup(lab, { memory: LIMIT * MB }, async (group) => {
      const { stdout, code: exit } = await run(command, { cgroup: group.directories });
      const word = (name: string): string => new RegExp(`^${name} (\\d+)$`, "m").exec(stdout)?.[1] ?? "nothing";
      lab.see("the program that takes 8 MB: exit code", "0", word("small"));
      lab.see(`the one that takes ${2 * LIMIT} MB`, "137 (SIGKILL)", word("large") === "137" ? "137 (SIGKILL)" : word("large"));
      lab.see("the shell that started both", "0", exit);
      lab.see("killed for memory, as the group counts it", "1", group.struck("memory"));
    }),
};
