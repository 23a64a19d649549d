// A mount in a new mount namespace is not seen in the one it was made from, unless they are peers.
import { AT_FDCWD, ask, CLONE, keep, MS, mapRoot, observe, RESULT } from "nsrun/ffi";

const rootless = process.getuid?.() !== 0;
for (const [name, kind] of [
  ["private", MS.MS_PRIVATE],
  ["shared", MS.MS_SHARED],
] as const) {
  const { answers } = observe(CLONE.CLONE_NEWNS | (rootless ? CLONE.CLONE_NEWUSER : 0), [
    ...(rootless ? mapRoot() : []),
    ["mount", null, "/", null, MS.MS_REC | MS.MS_PRIVATE, null], // nothing reaches the host
    ["mount", "lesson", "/mnt", "tmpfs", 0, null],
    ["mount", null, "/mnt", null, MS.MS_SHARED, null],
    ["mkdirat", AT_FDCWD, "/mnt/in", 0o755],
    keep("openat", AT_FDCWD, "/proc/self/ns/mnt", 0, 0), // the way back
    ["unshare", CLONE.CLONE_NEWNS],
    ["mount", null, "/mnt", null, kind, null],
    ["mount", "inner", "/mnt/in", "tmpfs", 0, null],
    ["mkdirat", AT_FDCWD, "/mnt/in/seen", 0o755],
    ["setns", RESULT, CLONE.CLONE_NEWNS],
    ask("faccessat2", AT_FDCWD, "/mnt/in/seen", 0, 0),
  ]);
  console.log(`${name}: the inner mount is ${answers[0] === 0 ? "seen" : "not seen"} outside`);
}

//> private: the inner mount is not seen outside
//> shared: the inner mount is seen outside
