/** Clocks that count from another moment: time_namespaces(7). */
import { run } from "../container/box.ts";
import type { ContainerOptions } from "../container/options.ts";
import { readText } from "../ffi/file.ts";
import * as code from "./code/time.ts" with { type: "text" };
import { type Lab, type Lesson, like } from "./lesson.ts";

const DAY = 86400;
const command = ["cat", "/proc/uptime"];
const options: ContainerOptions = { boottime: DAY, monotonic: DAY };

const uptime = (): number => Number.parseFloat(String(readText("/proc/uptime")));

export const time: Lesson = {
  name: "time",
  title: "a machine that has been up for a day longer",
  will: [
    "make a container with a time namespace whose boot-time and monotonic clocks are a day ahead",
    "compare its uptime with the host's; the time of day has no namespace and is the same",
  ],
  plans: () => [{ title: "a container a day ahead", command, options }],
  code,
  async run(lab: Lab) {
    const before = uptime();
    const inside = Number.parseFloat((await run(command, options)).stdout);
    const after = uptime();
    const [least, most] = [inside - after, inside - before].map(Math.round);
    const observed = least! <= DAY && DAY <= most! ? String(DAY) : `${least} to ${most}`;
    lab.see("seconds that the container's uptime is ahead of ours", String(DAY), observed);
    const [start, date, end] = [Date.now(), (await run(["date", "+%s"], options)).stdout, Date.now()];
    const now = like("the same", /^the same$/);
    const same = Number(date) >= Math.floor(start / 1000) && Number(date) <= end / 1000;
    lab.see("the time of day", now, same ? "the same" : `${date.trim()}, not ${Math.floor(end / 1000)}`);
  },
};
