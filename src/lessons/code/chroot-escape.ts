// root leaves a chroot: a second one, while the working directory stays outside of it, and up.
import { AT_FDCWD, ask, type ChildCall, CLONE, MNT, MS, mapRoot, observe } from "nsrun/ffi";

const rootless = process.getuid?.() !== 0;

function attempt(...enter: ChildCall[]): string {
  const { answers } = observe(CLONE.CLONE_NEWNS | (rootless ? CLONE.CLONE_NEWUSER : 0), [
    ...(rootless ? mapRoot() : []),
    ["mount", null, "/", null, MS.MS_REC | MS.MS_PRIVATE, null],
    ["mount", "lesson", "/mnt", "tmpfs", 0, null],
    ...["/mnt/secret", "/mnt/root", "/mnt/root/hole"].map((dir) => ["mkdirat", AT_FDCWD, dir, 0o755] as const),
    ["mount", "/mnt/root", "/mnt/root", null, MS.MS_BIND, null],
    ["chdir", "/mnt/root"],
    ...enter,
    ["chroot", "hole"],
    ["chdir", "../../../.."],
    ["chroot", "."],
    ask("faccessat2", AT_FDCWD, "/mnt/secret", 0, 0),
  ]);
  return answers[0] === 0 ? "escaped" : "still inside";
}
console.log(`chroot: ${attempt(["chroot", "."])}`);
console.log(`pivot_root: ${attempt(["pivot_root", ".", "."], ["umount2", ".", MNT.MNT_DETACH], ["chdir", "/"])}`);

//> chroot: escaped
//> pivot_root: still inside
