// A time namespace: the container's machine seems to have been up for a day longer.
import { readFileSync } from "node:fs";
import { run } from "nsrun";

const DAY = 86400;
const inside = await run(["cat", "/proc/uptime"], { boottime: DAY });
const outside = readFileSync("/proc/uptime", "utf8");

const ahead = Number.parseFloat(inside.stdout) - Number.parseFloat(outside);
console.log(`the container is ${Math.round(ahead)} s ahead`);

//> the container is 86400 s ahead
