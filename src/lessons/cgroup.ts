/** A cgroup namespace makes one's own group look like the root of all. */
import { createGroup, type Group } from "../cgroup/index.ts";
import type { Caller } from "../container/caller.ts";
import { container } from "../container/handle.ts";
import type { ContainerOptions } from "../container/options.ts";
import { NsrunError } from "../errors.ts";
import { readText } from "../ffi/file.ts";
import * as code from "./code/cgroup.ts" with { type: "text" };
import { cannotGroup } from "./group.ts";
import { type Lab, type Lesson, like } from "./lesson.ts";

/** The paths of /proc/PID/cgroup, each once. */
const paths = (text: string): string =>
  [
    ...new Set(
      text
        .trim()
        .split("\n")
        .map((line) => line.replace(/^[^:]*:[^:]*:/, "")),
    ),
  ]
    .sort()
    .join(" ");

function outside(pid: number): string {
  const text = readText(`/proc/${pid}/cgroup`);
  return typeof text === "number" ? "nothing" : paths(text);
}

async function look(lab: Lab, group: Group | undefined): Promise<void> {
  const options: ContainerOptions = group ? { cgroup: group.directories } : {};
  await using box = await container(options);
  const { stdout } = await box.exec("cat /proc/1/cgroup");
  lab.see("pid 1's cgroups, inside", "/", paths(stdout));
  if (!group) return;
  const name = group.directories[0]!.replace(/.*\//, "");
  lab.see("the same, outside", like(`…/${name}`, new RegExp(`/${name}( |$)`)), outside(box.pid));
}

export const cgroup: Lesson = {
  name: "cgroup",
  title: "the control group looks like the root",
  will: [
    "make a control group, and a container that is born in it, with a cgroup namespace of its own",
    "read /proc/PID/cgroup of its pid 1 inside: the namespace begins where it was made, so all paths are /",
    "read the same outside: there it is the group",
  ],
  plans: (_: Caller) => [
    {
      title: "a container in a group",
      command: ["cat", "/proc/self/cgroup"],
      options: { cgroup: ["/sys/fs/cgroup/nsrun-lesson"] },
    },
  ],
  code,
  async run(lab: Lab) {
    let group: Group | undefined;
    try {
      group = createGroup("lesson");
    } catch (error) {
      if (!(error instanceof NsrunError)) throw error;
      cannotGroup(lab, "the same path outside, in a group of its own", error);
    }
    try {
      await look(lab, group);
    } finally {
      group?.[Symbol.dispose]();
    }
  },
};
