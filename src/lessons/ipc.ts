/** System V objects are found by number, so whoever knows the number finds them: unless the namespace is another. */
import { readText } from "../ffi/file.ts";
import { CLONE } from "../ffi/flags.ts";
import { act, answer, asked, child, watch } from "./child.ts";
import * as code from "./code/ipc.ts" with { type: "text" };
import { type Lab, type Lesson, like } from "./lesson.ts";

/** msgget(2): sys/ipc.h */
const [IPC_CREAT, IPC_EXCL] = [0o1000, 0o2000];
const KEY = 0x6e73726e;

const making = () =>
  child("a child in two ipc namespaces, one after the other", CLONE.CLONE_NEWIPC, [
    asked("make a queue", "msgget", KEY, IPC_CREAT | IPC_EXCL | 0o600),
    asked("find it by its number", "msgget", KEY, 0),
    act("another ipc namespace", "unshare", CLONE.CLONE_NEWIPC),
    asked("find it by its number", "msgget", KEY, 0),
  ]);

/** The host's message queues: proc(5). */
function onHost(): string {
  const text = readText("/proc/sysvipc/msg");
  if (typeof text === "number") return answer(text);
  return text.split("\n").some((line) => Number(line.trim().split(/\s+/)[0]) === KEY) ? "there" : "not there";
}

export const ipc: Lesson = {
  name: "ipc",
  title: "message queues of its own",
  will: [
    "clone a child with CLONE_NEWIPC, which makes a message queue under a number and finds it again",
    "it unshares another ipc namespace: the same number leads nowhere",
    "look for the queue on the host",
  ],
  plans: () => [making()],
  code,
  run(lab: Lab) {
    const [made, found, lost] = watch(making()).answers;
    lab.see("msgget(KEY, IPC_CREAT) in the child", like("a queue's id, 0 or more", /^\d+$/), answer(made));
    lab.see("msgget(KEY) there", answer(made), answer(found));
    lab.see("msgget(KEY) in the next namespace", "ENOENT (no such file or directory)", answer(lost));
    lab.see("the queue, on the host (/proc/sysvipc/msg)", "not there", onHost());
  },
};
