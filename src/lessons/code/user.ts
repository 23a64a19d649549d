// Root inside is another user outside.
import { readFileSync } from "node:fs";
import { container } from "nsrun";

// root chooses the ids; the host's own programs are what that user can certainly read
const root = process.getuid?.() === 0;
await using box = await container(root ? { uidMap: ["0:1000000000:65536"], share: ["mnt"] } : {});

const inside = await box.exec("id -u; cat /proc/self/uid_map");
const [id, map = ""] = inside.stdout.trim().split("\n");
console.log(`inside: user ${id}, map ${map.trim().split(/\s+/).join(" ")}`);

const status = readFileSync(`/proc/${box.pid}/status`, "utf8");
console.log(`outside: user ${/^Uid:\s+(\d+)/m.exec(status)?.[1]}`);

//> inside: user 0, map 0 … …
//> outside: user …
