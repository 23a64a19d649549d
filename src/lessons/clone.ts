/** fork copies the memory; clone(CLONE_VM) shares it. */
import { cloneHere } from "../ffi/clone.ts";
import { CLONE } from "../ffi/flags.ts";
import { act } from "./child.ts";
import * as code from "./code/clone.ts" with { type: "text" };
import type { Calls, Lab, Lesson } from "./lesson.ts";

const { CLONE_VM, CLONE_VFORK } = CLONE;

/** Its one call, and its end: nsi_vexec of trampoline.c. CLONE_VFORK keeps the parent off the stack that both stand on. */
const CHILD: Calls = [act("its pid, which it writes to the word", "getpid"), act("its end", "exit", 127)];

export const clone: Lesson = {
  name: "clone",
  title: "fork against clone: separate and shared memory",
  will: [
    "fork: clone() without flags. The child calls getpid() and writes the answer to a word of memory that was 0",
    "the parent looks at the word: fork has given the child a copy of all memory, so it is still 0",
    "clone(CLONE_VM), and the same again: there is one memory, and the parent finds the child's pid in the word",
  ],
  plans: () => [
    { title: "fork", flags: CLONE_VFORK, calls: CHILD },
    { title: "clone with shared memory", flags: CLONE_VFORK | CLONE_VM, calls: CHILD },
  ],
  code,
  needsNamespaces: false,
  run(lab: Lab) {
    const fork = cloneHere(0, "getpid");
    lab.see("the parent's word, after a forked child wrote its pid", "0", fork.word);
    const shared = cloneHere(CLONE_VM, "getpid");
    lab.see("the parent's word, after a child with CLONE_VM did", String(shared.pid), shared.word);
    lab.see("and a call that fails: the child's close(99999)", "-9", cloneHere(CLONE_VM, "close", 99999).word);
  },
};
