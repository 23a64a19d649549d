// Commands join a running container, all of its namespaces or one.
import { container, run } from "nsrun";

await using box = await container({ hostname: "lesson", tmpfs: ["/scratch"] });
await box.exec("echo kept >/scratch/note");
const joined = await box.exec("hostname; cat /scratch/note");
console.log(`joined: ${joined.stdout.trim().split("\n").join(", ")}`);

// another container, with this one's host name alone
const user = process.getuid?.() === 0 ? [] : [`user=${box.pid}`];
const other = await run("hostname; ls /scratch 2>&1", { join: [`uts=${box.pid}`, ...user] });
console.log(`other: ${other.stdout.trim().split("\n").join(", ")}`);

//> joined: lesson, kept
//> other: lesson, ls: /scratch: No such file or directory
