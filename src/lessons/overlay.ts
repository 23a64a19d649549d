/** One directory seen through another: the lower is never changed. */

import { findCaller } from "../container/caller.ts";
import { AT_FDCWD, CLONE, MS } from "../ffi/flags.ts";
import { act, answer, asked, call, child, mountPoint, NOT_THERE, presence, THERE, watch } from "./child.ts";
import * as code from "./code/overlay.ts" with { type: "text" };
import type { Lab, Lesson } from "./lesson.ts";

/** In a user namespace overlay keeps its notes in user.* attributes, for trusted.* ones are root's. */
const data = (dir: string): string =>
  `lowerdir=${dir}/lower,upperdir=${dir}/upper,workdir=${dir}/work${findCaller().privileged ? "" : ",userxattr"}`;

const making = () => {
  const dir = mountPoint();
  const merged = `${dir}/merged`;
  return child("a child with an overlay", CLONE.CLONE_NEWNS, [
    call.isolate(),
    call.mount("lesson", dir, "tmpfs", MS.MS_NODEV),
    ...["lower", "upper", "work", "merged"].map((name) => call.mkdir(`${dir}/${name}`)),
    call.file(`${dir}/lower/old`),
    call.mount("overlay", merged, "overlay", 0, data(dir)),
    call.there(`${merged}/old`),
    call.file(`${merged}/new`),
    act(`remove ${merged}/old`, "unlinkat", AT_FDCWD, `${merged}/old`, 0),
    call.there(`${merged}/old`),
    call.there(`${dir}/lower/old`),
    call.there(`${dir}/lower/new`),
    call.there(`${dir}/upper/new`),
    call.there(`${dir}/upper/old`),
    asked("open it", "openat", AT_FDCWD, `${dir}/upper/old`, 0, 0),
  ]);
};

export const overlay: Lesson = {
  name: "overlay",
  title: "a root that can be written and thrown away",
  will: [
    "make three layers in a tmpfs: lower has a file, upper is empty, merged is the overlay of both",
    "in merged, make a file and remove the lower one's",
    "look into each layer: the lower one is as it was, the upper one has it all, a whiteout in place of what was removed",
  ],
  plans: () => [making()],
  code,
  run(lab: Lab) {
    const [seen, removed, lowerOld, lowerNew, upperNew, whiteout, open] = watch(making()).answers;
    lab.see("old, of the lower layer, in merged", THERE, presence(seen));
    lab.see("old in merged, after it was removed there", NOT_THERE, presence(removed));
    lab.see("old in the lower layer, afterwards", THERE, presence(lowerOld));
    lab.see("new, made in merged, in the lower layer", NOT_THERE, presence(lowerNew));
    lab.see("new in the upper layer", THERE, presence(upperNew));
    lab.see("old in the upper layer: a whiteout", THERE, presence(whiteout));
    lab.see("which is a device: open(), where devices are forbidden (nodev)", "EACCES (permission denied)", answer(open));
  },
};
