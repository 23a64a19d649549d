// An overlay: what is changed in merged lies in upper; lower stays as it was.
import { AT_FDCWD, ask, CLONE, MS, mapRoot, observe } from "nsrun/ffi";

const rootless = process.getuid?.() !== 0;
const layers = `lowerdir=/mnt/lower,upperdir=/mnt/upper,workdir=/mnt/work${rootless ? ",userxattr" : ""}`;
const there = (path: string) => ask("faccessat2", AT_FDCWD, path, 0, 0);

const { answers } = observe(CLONE.CLONE_NEWNS | (rootless ? CLONE.CLONE_NEWUSER : 0), [
  ...(rootless ? mapRoot() : []),
  ["mount", null, "/", null, MS.MS_REC | MS.MS_PRIVATE, null],
  ["mount", "lesson", "/mnt", "tmpfs", 0, null],
  ...["lower", "upper", "work", "merged"].map((dir) => ["mkdirat", AT_FDCWD, `/mnt/${dir}`, 0o755] as const),
  ["mknodat", AT_FDCWD, "/mnt/lower/old", 0o100644, 0],
  ["mount", "overlay", "/mnt/merged", "overlay", 0, layers],
  ["mknodat", AT_FDCWD, "/mnt/merged/new", 0o100644, 0],
  ["unlinkat", AT_FDCWD, "/mnt/merged/old", 0],
  ...["/mnt/merged/old", "/mnt/lower/old", "/mnt/lower/new", "/mnt/upper/new"].map(there),
]);
const words = answers.map((answer) => (answer === 0 ? "there" : "not there"));
console.log(`old: ${words[0]} in merged, ${words[1]} in lower; new: ${words[2]} in lower, ${words[3]} in upper`);

//> old: not there in merged, there in lower; new: not there in lower, there in upper
