// Inside a cgroup namespace one's own group looks like the root. As root.
import { readFileSync } from "node:fs";
import { container } from "nsrun";
import { createGroup } from "nsrun/cgroup";

using group = createGroup("lesson");
await using box = await container({ cgroup: group.directories });

const inside = await box.exec("cat /proc/1/cgroup");
console.log(`inside: ${inside.stdout.trim().split("\n").at(-1)}`);

const outside = readFileSync(`/proc/${box.pid}/cgroup`, "utf8");
console.log(`outside: ${outside.trim().split("\n").at(-1)}`);

//> inside: 0::/
//> outside: 0::…/nsrun-lesson-…
