/** Who can kill whom: a pid namespace's processes know no number of the outside. */
import { run } from "../container/box.ts";
import type { RunOptions } from "../container/options.ts";
import * as code from "./code/pid-tree.ts" with { type: "text" };
import { type Lab, type Lesson, like } from "./lesson.ts";

// the shell is pid 1, as in the article, and its children therefore 2, 3 and 4
const SCRIPT = `read parent
sleep 600 & first=$!
sleep 0.1 & second=$!
sleep 0.1 & third=$!
echo pids $$ $first $second $third
kill -9 $parent 2>&1
kill -9 $first && echo killed $first
wait $first; echo first $?
wait $second; echo second $?
wait $third; echo third $?`;

const command = ["/bin/sh", "-c", SCRIPT];
const options: RunOptions = { init: false };

export const pidTree: Lesson = {
  name: "pid-tree",
  title: "a parent's pid means nothing inside; a child's does",
  will: [
    "start a shell as pid 1 of a container, and send it the pid of its parent, nsrun",
    "the shell makes three children, and sends SIGKILL to its parent: there is no such number in its namespace",
    "it sends SIGKILL to its first child, and waits for all three",
  ],
  plans: () => [{ title: "a container whose shell is pid 1", command, options }],
  code,
  async run(lab: Lab) {
    if (process.pid <= 10) {
      lab.cannot(
        "the whole lesson",
        `nsrun itself is process ${process.pid}, a number that exists inside too`,
        "start it from a shell",
      );
      return;
    }
    const { stdout } = await run(command, { ...options, input: `${process.pid}\n` });
    const rest = (word: string): string => new RegExp(`^${word} (.*)$`, "m").exec(stdout)?.[1] ?? "nothing";
    const refusal = /can't kill pid \d+: (.*)/.exec(stdout)?.[1] ?? "nothing was refused";
    lab.see("pids inside: the shell and its three children", "1 2 3 4", rest("pids"));
    lab.see("kill(the parent's pid, SIGKILL)", like("ESRCH, no such process", /^No such process$/), refusal);
    lab.see("the parent, afterwards", "alive", process.kill(process.pid, 0) ? "alive" : "dead");
    lab.see("kill(2, SIGKILL)", "sent", rest("killed") === "2" ? "sent" : "refused");
    lab.see(
      "the first child's end",
      "137 (SIGKILL): it did not finish",
      rest("first") === "137" ? "137 (SIGKILL): it did not finish" : rest("first"),
    );
    lab.see("the other two", "0 0", `${rest("second")} ${rest("third")}`);
  },
};
