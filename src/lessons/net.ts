/** A network namespace has its own loopback, and the end of the pair that was put into it. */
import { run } from "../container/box.ts";
import type { Caller } from "../container/caller.ts";
import { container } from "../container/handle.ts";
import type { ContainerOptions } from "../container/options.ts";
import { describe } from "../net/verb.ts";
import { buildPlan } from "../plan/build.ts";
import type { Step } from "../plan/step.ts";
import * as code from "./code/net.ts" with { type: "text" };
import { type Lab, type Lesson, like } from "./lesson.ts";

/** busybox's ping knows raw sockets only. */
const capAdd = ["net_raw"];
const options = (caller: Caller): ContainerOptions => ({ name: "lesson", net: caller.admin ? "veth" : "none", capAdd });

/** The ip(8) commands that the network steps of a plan amount to. */
const ipCommands = (steps: readonly Step[]): string[] =>
  steps.flatMap((step) => {
    if (!("verb" in step)) return [];
    const command = describe(step.verb, "PID");
    return [step.side === "container" ? `nsenter -t PID -n ${command}` : command];
  });

const replied = (code: number): string => (code === 0 ? "a reply" : "no reply");

async function pings(lab: Lab): Promise<void> {
  await using box = await container(options(lab.caller));
  const { net } = box.spec;
  if (net.mode !== "veth") throw new TypeError("a veth pair was asked for");
  const [host, inside] = [net.subnet.host, net.subnet.container].map(({ text }) => text.replace(/\/.*/, ""));
  const links = await box.exec("ls /sys/class/net");
  lab.see("interfaces in the container", "eth0 lo", links.stdout.trim().split(/\s+/).join(" "));
  const out = await box.exec(["ping", "-c1", "-W2", host!]);
  lab.see(`the child pings its parent, ${host}`, "a reply", replied(out.code));
  // a container that keeps the parent's network namespace, and so sees what the parent sees; it takes the parent's root to ping
  const back = await run(["ping", "-c1", "-W2", inside!], { net: "host", userns: "host", capAdd });
  lab.see(`the parent pings its child, ${inside}`, "a reply", replied(back.code));
  lab.show("the ip commands that would do the same", ipCommands(buildPlan(box.spec).between));
}

export const net: Lesson = {
  name: "net",
  title: "a loopback, a virtual adapter, and a ping each way",
  will: [
    "make a container with a network namespace of its own: in it is only lo, which is set up",
    "make a pair of virtual adapters (veth) over rtnetlink, one end of it in the container, an address on each",
    "ping from the child to the parent, and from the parent to the child",
  ],
  plans: (caller) => [{ title: "a container with a network namespace", command: ["true"], options: options(caller) }],
  code,
  async run(lab: Lab) {
    const alone = await run("ls /sys/class/net; ping -c1 -W2 127.0.0.1 >/dev/null && echo pong", { net: "none", capAdd });
    lab.see("interfaces without a pair; lo answers", "lo pong", alone.stdout.trim().split(/\s+/).join(" "));
    const far = await run(["ping", "-c1", "-W2", "192.0.2.1"], { net: "none", capAdd });
    lab.see(
      "from there to any other address",
      like("network is unreachable", /network is unreachable/i),
      far.stderr.trim() || replied(far.code),
    );
    if (lab.caller.admin) await pings(lab);
    else
      lab.cannot(
        "the pair and its pings",
        "one end lies in the host's network namespace, which takes root",
        "sudo nsrun demo net",
      );
  },
};
