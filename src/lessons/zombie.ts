/** Why pid 1 reaps: orphans become its children, and a dead child keeps its number until its parent has asked. */
import { run } from "../container/box.ts";
import { CLONE } from "../ffi/flags.ts";
import { act, answer, asked, child, memory, watch } from "./child.ts";
import * as code from "./code/zombie.ts" with { type: "text" };
import { type Calls, type Lab, type Lesson, like } from "./lesson.ts";

const SIGCHLD = 17;
/** waitid(2): sys/wait.h */
const [P_ALL, P_PID, WEXITED, WNOWAIT] = [0, 1, 4, 0x1000000];
const info = () => memory(new Uint8Array(128), "info");

/** pid 1, whose child 2 makes 3 and ends: 3 is an orphan then, and ends as well. */
const FAMILY: Calls = [
  { ...act("pid 1 makes 2", "clone", SIGCHLD, 0, 0, 0, 0), jump: "one" },
  { ...act("2 makes 3", "clone", SIGCHLD, 0, 0, 0, 0), jump: "two" },
  act("3 ends", "exit_group", 0),
  { ...act("2 ends, and 3 is an orphan", "exit_group", 0), mark: "two" },
  { ...act("pid 1 waits for 2", "waitid", P_PID, 2, info(), WEXITED, 0), mark: "one" },
  asked("until another is dead, which is left as it is", "waitid", P_ALL, 0, info(), WEXITED | WNOWAIT, 0),
  asked("is the number taken?", "kill", 3, 0),
  asked("reap it", "wait4", 3, null, 0, 0),
  asked("is the number taken?", "kill", 3, 0),
];
const making = () => child("a pid 1 with an orphan", CLONE.CLONE_NEWPID, FAMILY);

// a zombie has an entry in /proc; without anybody to reap it the loop would end by its count
const SCRIPT = `orphan=$(sh -c 'sleep 0.05 >/dev/null & echo $!')
tries=0
while [ -d /proc/$orphan ] && [ $tries -lt 100 ]; do sleep 0.02; tries=$((tries+1)); done
[ -d /proc/$orphan ] && echo zombie || echo gone`;
const command = ["/bin/sh", "-c", SCRIPT];

export const zombie: Lesson = {
  name: "zombie",
  title: "why pid 1 must reap",
  will: [
    "clone a pid 1 whose child makes a child of its own and ends: the grandchild is an orphan, and pid 1 its parent",
    "the orphan ends, and nobody has waited for it: its number is still taken",
    "pid 1 waits, and the number is free. In a container nsrun's init does that",
  ],
  plans: () => [making(), { title: "a container with nsrun's init", command, options: {} }],
  code,
  async run(lab: Lab) {
    const [dead, taken, reaped, free] = watch(making()).answers;
    lab.see("waitid() says: a child of pid 1 is dead", "0", answer(dead));
    lab.see("kill(3, 0): the dead one's number", like("0: it is taken, by a zombie", /^0$/), answer(taken));
    lab.see("wait4(3), by pid 1", "3", answer(reaped));
    lab.see("kill(3, 0), afterwards", "ESRCH (no such process)", answer(free));
    const { stdout } = await run(command);
    lab.see("an orphan that ended under nsrun's init", "gone", stdout.trim());
  },
};
