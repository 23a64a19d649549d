/** The first process of a pid namespace. */
import { CLONE } from "../ffi/flags.ts";
import { asked, child, watch } from "./child.ts";
import * as code from "./code/pid.ts" with { type: "text" };
import { type Lab, type Lesson, like } from "./lesson.ts";

const making = () =>
  child("a child in a pid namespace of its own", CLONE.CLONE_NEWPID, [
    asked("its own pid", "getpid"),
    asked("its parent's", "getppid"),
  ]);

export const pid: Lesson = {
  name: "pid",
  title: "getpid() is 1, getppid() is 0",
  will: [
    "clone a child with CLONE_NEWPID",
    "the child asks the kernel for its pid and for its parent's: it is the first process of its world, and its parent is outside",
    "the parent knows the same child by another number",
  ],
  plans: () => [making()],
  code,
  run(lab: Lab) {
    const seen = watch(making());
    const [own, parent] = seen.answers;
    lab.see("getpid() in the child", "1", own ?? "no answer");
    lab.see("getppid() in the child", "0", parent ?? "no answer");
    lab.see("the child's pid, as its parent has it", like("another number than 1", /^(?!1$)[1-9]\d*$/), seen.pid);
  },
};
