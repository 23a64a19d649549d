// A group with 32 MB: what takes more is killed. As root.
import { run } from "nsrun";
import { createGroup } from "nsrun/cgroup";

using group = createGroup("lesson", { memory: 32 << 20 });

// dd takes a buffer of that size, and fills it
for (const size of ["8M", "64M"]) {
  const { code } = await run(["dd", `bs=${size}`, "if=/dev/zero", "of=/dev/null", "count=1"], { cgroup: group.directories });
  console.log(`${size}: exit code ${code}`);
}
console.log(`killed for memory: ${group.struck("memory")}`);

//> 8M: exit code 0
//> 64M: exit code 137
//> killed for memory: 1
