/** The lessons, in the article's order and then beyond it. */
import { UsageError } from "../errors.ts";
import { caps } from "./caps.ts";
import { cgroup } from "./cgroup.ts";
import { chrootEscape } from "./chroot-escape.ts";
import { clone } from "./clone.ts";
import { forkBomb } from "./fork-bomb.ts";
import { full } from "./full.ts";
import { ipc } from "./ipc.ts";
import { join } from "./join.ts";
import type { Lesson } from "./lesson.ts";
import { mount } from "./mount.ts";
import { net } from "./net.ts";
import { oom } from "./oom.ts";
import { overlay } from "./overlay.ts";
import { pid } from "./pid.ts";
import { pidTree } from "./pid-tree.ts";
import { rootfs } from "./rootfs.ts";
import { seccomp } from "./seccomp.ts";
import { time } from "./time.ts";
import { user } from "./user.ts";
import { uts } from "./uts.ts";
import { zombie } from "./zombie.ts";

export { explain } from "./explain.ts";
export type { Lesson, Proof } from "./lesson.ts";
export { type Result, runLesson } from "./run.ts";

/** Of the article. */
const ARTICLE: readonly Lesson[] = [clone, pid, pidTree, net, mount, rootfs, full];
const BEYOND: readonly Lesson[] = [
  ...[uts, ipc, user, cgroup, time],
  ...[caps, seccomp],
  ...[oom, forkBomb, zombie],
  ...[chrootEscape, overlay, join],
];
export const LESSONS: readonly Lesson[] = [...ARTICLE, ...BEYOND];

/** The text of a lesson's program, which is built in as it is. */
export const codeOf = (lesson: Lesson): string => (lesson.code as { readonly default: string }).default;

/** The lesson of that name. `meant` finds what a wrong name may have been meant for. Throws UsageError. */
export function lessonNamed(name: string, meant: (word: string, names: readonly string[]) => string | undefined): Lesson {
  const found = LESSONS.find((lesson) => lesson.name === name);
  if (found) return found;
  const names = LESSONS.map((lesson) => lesson.name);
  const near = meant(name, names);
  throw new UsageError(`no such lesson: ${name}`, {
    hint: near ? `did you mean ${near}?` : `the lessons are: ${names.join(" ")}`,
  });
}
