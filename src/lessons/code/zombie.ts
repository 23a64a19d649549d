// An orphan becomes pid 1's child. Dead, it keeps its number until pid 1 has waited for it.
import { ask, CLONE, errnoName, mapRoot, observe } from "nsrun/ffi";

const rootless = process.getuid?.() !== 0;
const info = { bytes: new Uint8Array(128), text: "info" };
const [SIGCHLD, P_ALL, P_PID, WEXITED, WNOWAIT] = [17, 0, 1, 4, 0x1000000];

const { answers } = observe(CLONE.CLONE_NEWPID | (rootless ? CLONE.CLONE_NEWUSER : 0), [
  ...(rootless ? mapRoot() : []),
  { call: "clone", args: [SIGCHLD, 0, 0, 0, 0], jump: "one" }, // 1 makes 2
  { call: "clone", args: [SIGCHLD, 0, 0, 0, 0], jump: "two" }, // 2 makes 3
  ["exit_group", 0], // 3
  { call: "exit_group", args: [0], mark: "two" }, // 2
  { call: "waitid", args: [P_PID, 2, info, WEXITED, 0], mark: "one" }, // 1
  ["waitid", P_ALL, 0, info, WEXITED | WNOWAIT, 0], // 3 is dead
  ask("kill", 3, 0),
  ["wait4", 3, null, 0, 0],
  ask("kill", 3, 0),
]);
console.log(`before the wait: ${answers[0] === 0 ? "its number is taken" : "gone"}; after: ${errnoName(-answers[1]!)}`);

//> before the wait: its number is taken; after: ESRCH
