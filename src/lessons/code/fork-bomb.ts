// A group for 16 processes: a program that forks for ever gets no further. As root.
import { run } from "nsrun";
import { createGroup } from "nsrun/cgroup";

using group = createGroup("lesson", { pids: 16 });

const { stdout, stderr } = await run("while sleep 600 & do echo $!; done", { init: false, cgroup: group.directories });
console.log(`${stdout.split("\n").length - 1} children`);
console.log(stderr.trim());
console.log(`refused: ${group.struck("pids")}`);

//> 15 children
//> …: can't fork: Resource temporarily unavailable
//> refused: 1
