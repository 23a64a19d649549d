/** Mounts stay in their mount namespace, or are passed on between peers: mount_namespaces(7). */
import { RESULT } from "../ffi/clone.ts";
import { readText } from "../ffi/file.ts";
import { AT_FDCWD, CLONE, MS } from "../ffi/flags.ts";
import { act, call, child, kept, mountPoint, NOT_THERE, presence, THERE, watch } from "./child.ts";
import * as code from "./code/mount.ts" with { type: "text" };
import type { Calls, Lab, Lesson } from "./lesson.ts";

const { CLONE_NEWNS } = CLONE;
const [OUTER, INNER] = [100, 101]; // descriptors of the two namespaces

const remember = (number: number): Calls => [
  kept("open its mount namespace", "openat", AT_FDCWD, "/proc/self/ns/mnt", 0, 0),
  act("keep that under a number of our own", "dup3", RESULT, number, 0),
];

/**
 * One process in two mount namespaces by turns. The inner one is made while `dir` is a shared mount, which then is made `kind` in
 * it. Each mounts something below it, and looks for what the other has mounted.
 */
const making = (kind: keyof typeof KINDS) => {
  const dir = mountPoint();
  return child(`two mount namespaces, ${kind}`, CLONE_NEWNS, [
    call.isolate(),
    call.mount("lesson", dir, "tmpfs"),
    call.spread(`share ${dir} with namespaces made from this one`, dir, MS.MS_SHARED),
    call.mkdir(`${dir}/by-outer`),
    call.mkdir(`${dir}/by-inner`),
    ...remember(OUTER),
    act("the inner namespace, a copy of the outer", "unshare", CLONE_NEWNS),
    call.spread(`make it ${kind} here`, dir, KINDS[kind].flag),
    ...remember(INNER),
    call.mount("inner", `${dir}/by-inner`, "tmpfs"),
    call.mkdir(`${dir}/by-inner/seen`),
    act("back to the outer namespace", "setns", OUTER, CLONE_NEWNS),
    call.there(`${dir}/by-inner/seen`),
    call.mount("outer", `${dir}/by-outer`, "tmpfs"),
    call.mkdir(`${dir}/by-outer/seen`),
    act("to the inner one again", "setns", INNER, CLONE_NEWNS),
    call.there(`${dir}/by-outer/seen`),
  ]);
};

/** Whether a mount of the inner one reaches the outer one, and the other way round. */
const KINDS = {
  private: { flag: MS.MS_PRIVATE, up: NOT_THERE, down: NOT_THERE },
  slave: { flag: MS.MS_SLAVE, up: NOT_THERE, down: THERE },
  shared: { flag: MS.MS_SHARED, up: THERE, down: THERE },
} as const;

const ownMounts = (): number => String(readText("/proc/self/mountinfo")).split("\n").length - 1;

export const mount: Lesson = {
  name: "mount",
  title: "mounts stay inside, unless propagation passes them on",
  will: [
    "make a mount namespace (outer), in it a tmpfs that is shared, and from it a second namespace (inner)",
    "mount something in the inner one and look for it in the outer one, then the other way round",
    "three times: the inner side is private, slave, shared",
  ],
  plans: () => [making("private"), making("slave"), making("shared")],
  code,
  run(lab: Lab) {
    const before = ownMounts();
    for (const kind of ["private", "slave", "shared"] as const) {
      const [up, down] = watch(making(kind)).answers;
      lab.see(`${kind}: mounted in the inner one, in the outer one`, KINDS[kind].up, presence(up));
      lab.see(`${kind}: mounted in the outer one, in the inner one`, KINDS[kind].down, presence(down));
    }
    lab.see("mounts that the parent sees, afterwards", String(before), ownMounts());
  },
};
