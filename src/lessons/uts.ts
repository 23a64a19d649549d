/** The host name is one of the things that can be one's own. */
import { run } from "../container/box.ts";
import type { ContainerOptions } from "../container/options.ts";
import { CLONE } from "../ffi/flags.ts";
import { uname } from "../ffi/libc.ts";
import { answer, asked, child, watch } from "./child.ts";
import * as code from "./code/uts.ts" with { type: "text" };
import type { Lab, Lesson } from "./lesson.ts";

const NAME = "lesson";
const command = ["/bin/sh", "-c", "hostname; cat /proc/sys/kernel/domainname"];
const options: ContainerOptions = { hostname: NAME, domainname: "example" };
const changed = () =>
  child("a child that changes its name", CLONE.CLONE_NEWUTS, [
    asked("its name, in its own namespace", "sethostname", NAME, NAME.length),
  ]);

export const uts: Lesson = {
  name: "uts",
  title: "a host name of its own",
  will: [
    "clone a child with CLONE_NEWUTS, which calls sethostname: the parent's name stays what it was",
    "the same as a container: --hostname and --domainname, seen inside",
  ],
  plans: () => [changed(), { title: "a container with names", command, options }],
  code,
  async run(lab: Lab) {
    const before = uname().nodename;
    lab.see("the child's sethostname()", "0", answer(watch(changed()).answers[0]));
    lab.see("the parent's host name, afterwards", before, uname().nodename);
    const { stdout } = await run(command, options);
    const [host, domain] = stdout.split("\n");
    lab.see("hostname in the container", NAME, host ?? "nothing");
    lab.see("its domain name", "example", domain ?? "nothing");
  },
};
