/** Into a container that runs: setns(2), by a descriptor of its process. */
import { run } from "../container/box.ts";
import type { Caller } from "../container/caller.ts";
import { container } from "../container/handle.ts";
import type { ContainerOptions, RunOptions } from "../container/options.ts";
import { readLink } from "../ffi/file.ts";
import { NAMESPACES } from "../plan/spec.ts";
import * as code from "./code/join.ts" with { type: "text" };
import type { Lab, Lesson } from "./lesson.ts";

const options: ContainerOptions = { hostname: "lesson" };

/** One namespace alone; its user namespace too, where it has one of its own. */
const onlyUts = (caller: Caller, pid: number): RunOptions => ({
  join: [`uts=${pid}`, ...(caller.admin ? [] : [`user=${pid}`])],
});

/** Which of its namespaces are those of `pid`: "all", or the others' names. */
function same(links: string, pid: number): string {
  const inside = links.trim().split(/\s+/);
  const others = NAMESPACES.filter((ns) => !inside.includes(String(readLink(`/proc/${pid}/ns/${ns}`))));
  return others.length === 0 ? "all" : `not ${others.join(" ")}`;
}

const LINKS = `for ns in ${NAMESPACES.join(" ")}; do readlink /proc/self/ns/$ns; done`;

export const join: Lesson = {
  name: "join",
  title: "commands that join a running container",
  will: [
    "make a container that waits, and let a command join all its namespaces",
    "compare the command's namespaces with those of the container's pid 1, and ours",
    "let another container join its host name alone",
  ],
  // a plan looks whether the process is there, so ours must do
  plans: (caller) => [
    { title: "the container", command: [], options },
    {
      title: "a container that joins a process (here: ours) for its host name",
      command: ["hostname"],
      options: onlyUts(caller, process.pid),
    },
  ],
  code,
  async run(lab: Lab) {
    await using box = await container(options);
    const joined = await box.exec(LINKS);
    lab.see("the joined command's namespaces that are pid 1's", "all", same(joined.stdout, box.pid));
    const own = String(readLink("/proc/self/ns/uts"));
    lab.see("our own uts namespace is among them", "no", joined.stdout.includes(own) ? "yes" : "no");
    const script = `hostname; ${LINKS}`;
    const other = await run(script, onlyUts(lab.caller, box.pid));
    lab.see("host name of a container that joined uts alone", "lesson", other.stdout.split("\n")[0] ?? "nothing");
    const alone = ["mnt", "net", "pid", "ipc"].filter((ns) =>
      other.stdout.includes(String(readLink(`/proc/${box.pid}/ns/${ns}`))),
    );
    lab.see("its other namespaces that are the first one's", "none", alone.join(" ") || "none");
  },
};
