/** chroot(2) is no wall for root; pivot_root(2) leaves nothing behind the wall. */
import { CLONE, MNT, MS } from "../ffi/flags.ts";
import { act, call, child, mountPoint, NOT_THERE, presence, THERE, watch } from "./child.ts";
import * as code from "./code/chroot-escape.ts" with { type: "text" };
import type { Calls, Lab, Lesson } from "./lesson.ts";

/**
 * The classic: with a second chroot the working directory lies outside of the root, and nothing stops `..` there any more;
 * not before the real root of the mount namespace. `secret` lies outside of the first root.
 */
const climb = (secret: string): Calls => [
  call.there(secret),
  call.mkdir("/hole"),
  act("a root below; the working directory is not", "chroot", "/hole"),
  act("climb", "chdir", "../../../../../../../.."),
  act("that is the root now", "chroot", "."),
  call.there(secret),
];

/** A tmpfs with a root to be put into, and a file beside it; then `enter`, then the attempt. */
const making = (title: string, enter: (root: string) => Calls) => {
  const dir = mountPoint();
  const root = `${dir}/root`;
  return child(title, CLONE.CLONE_NEWNS, [
    call.isolate(),
    call.mount("lesson", dir, "tmpfs"),
    call.file(`${dir}/secret`),
    call.mkdir(root),
    ...enter(root),
    ...climb(`${dir}/secret`),
  ]);
};

const byChroot = () =>
  making("a child behind chroot", (root) => [act("behind chroot", "chroot", root), act("and into the root", "chdir", "/")]);

// pivot_root wants a mount; the old root then lies on top of the new one, and is detached
const byPivot = () =>
  making("a child behind pivot_root", (root) => [
    call.mount(root, root, null, MS.MS_BIND),
    act("into the new root", "chdir", root),
    act("the new root becomes the root; the old one lies on top", "pivot_root", ".", "."),
    act("away with the old one", "umount2", ".", MNT.MNT_DETACH),
    act("and into the root", "chdir", "/"),
  ]);

export const chrootEscape: Lesson = {
  name: "chroot-escape",
  title: "chroot can be left, pivot_root cannot",
  will: [
    "put a child into a directory by chroot, with a secret outside of it",
    "the child makes a directory, chroots into that while its working directory stays, and climbs: .., .., ..",
    "the same behind pivot_root, with the old root unmounted: there is nothing left to climb to",
  ],
  plans: () => [byChroot(), byPivot()],
  code,
  run(lab: Lab) {
    const chroot = watch(byChroot()).answers;
    lab.see("the secret, behind chroot", NOT_THERE, presence(chroot[0]));
    lab.see("the secret, after the climb", THERE, presence(chroot[1]));
    const pivot = watch(byPivot()).answers;
    lab.see("the secret, behind pivot_root", NOT_THERE, presence(pivot[0]));
    lab.see("the secret, after the same climb", NOT_THERE, presence(pivot[1]));
  },
};
