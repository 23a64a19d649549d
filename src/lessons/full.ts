/** The article's last example: everything at once. */
import { run } from "../container/box.ts";
import type { Caller } from "../container/caller.ts";
import type { RunOptions } from "../container/options.ts";
import * as code from "./code/full.ts" with { type: "text" };
import { type Lab, type Lesson, like } from "./lesson.ts";

// the shell is pid 1; the host's address is the first of the pair's network
const SCRIPT = `echo pid $$
echo host $(hostname)
echo net $(ls /sys/class/net)
echo processes $(ls -d /proc/[0-9]* | wc -l)
echo root $(ls /)
gateway=$(ip route | sed -n 's/^default via \\([^ ]*\\).*/\\1/p')
test -n "$gateway" && ping -c1 -W2 $gateway >/dev/null && echo ping $gateway`;

const command = ["/bin/sh", "-c", SCRIPT];
const options = (caller: Caller): RunOptions => ({
  init: false,
  hostname: "lesson",
  net: caller.admin ? "veth" : "none",
  capAdd: ["net_raw"], // for its ping
});

export const full: Lesson = {
  name: "full",
  title: "the article's container: all of it at once",
  will: [
    "make a container with its own processes, network, mounts, host name, IPC and root, and a shell as pid 1",
    "the shell looks around: what it sees is its own world and nothing of the host's",
    "on a terminal such a shell is then yours: leave it with exit",
  ],
  plans: (caller) => [{ title: "the whole container", command, options: options(caller) }],
  code,
  async run(lab: Lab) {
    const { stdout } = await run(command, options(lab.caller));
    const word = (name: string): string => new RegExp(`^${name} (.*)$`, "m").exec(stdout)?.[1] ?? "nothing";
    lab.see("the shell's pid", "1", word("pid"));
    lab.see("host name", "lesson", word("host"));
    lab.see("interfaces", lab.caller.admin ? "eth0 lo" : "lo", word("net"));
    lab.see("processes: the shell, and those of its pipe", like("2 to 4", /^[234]$/), word("processes"));
    lab.see("its root", like("busybox's: bin dev etc …", /^bin dev etc /), word("root"));
    if (lab.caller.admin) lab.see("ping to the parent", like("a reply", /^\d+\.\d+\.\d+\.\d+$/), word("ping"));
    else
      lab.cannot(
        "the veth pair and its ping",
        "one end lies in the host's network namespace, which takes root",
        "sudo nsrun demo full",
      );
  },
};
