/** A program that forks for ever, in a group that has only so many processes. */
import { run } from "../container/box.ts";
import type { RunOptions } from "../container/options.ts";
import * as code from "./code/fork-bomb.ts" with { type: "text" };
import { inGroup } from "./group.ts";
import { type Lab, type Lesson, like } from "./lesson.ts";

const LIMIT = 16;
// the shell ends at the first fork that is refused, and as pid 1 takes all with it
const command = ["/bin/sh", "-c", "while sleep 600 & do echo $!; done"];
const options: RunOptions = { init: false };

export const forkBomb: Lesson = {
  name: "fork-bomb",
  title: "a program that forks for ever gets no further than its group",
  will: [
    `make a control group for ${LIMIT} processes, and a container in it whose shell is pid 1`,
    "the shell starts children in an endless loop, until the kernel refuses one",
  ],
  plans: () => [
    { title: `a container of ${LIMIT} processes`, command, options: { ...options, cgroup: ["/sys/fs/cgroup/nsrun-lesson"] } },
  ],
  code,
  run: (lab: Lab) =>
    inGroup(lab, { pids: LIMIT }, async (group) => {
      const { stdout, stderr, code: exit } = await run(command, { ...options, cgroup: group.directories });
      lab.see("children that were made (the shell is one too)", String(LIMIT - 1), stdout.split("\n").length - 1);
      const refused = like("EAGAIN, resource temporarily unavailable", /Resource temporarily unavailable/);
      lab.see("the next fork", refused, stderr.trim().replace(/^.*: /, ""));
      lab.see("refused, as the group counts it", "1", group.struck("pids"));
      lab.see("the shell's exit code", like("not 0", /^[1-9]/), exit);
    }),
};
