// A message queue is found by its number, in its own ipc namespace only.
import { ask, CLONE, errnoName, mapRoot, observe } from "nsrun/ffi";

const rootless = process.getuid?.() !== 0;
const [IPC_CREAT, KEY] = [0o1000, 4711];

const { answers } = observe(CLONE.CLONE_NEWIPC | (rootless ? CLONE.CLONE_NEWUSER : 0), [
  ...(rootless ? mapRoot() : []),
  ask("msgget", KEY, IPC_CREAT | 0o600),
  ask("msgget", KEY, 0),
  ["unshare", CLONE.CLONE_NEWIPC],
  ask("msgget", KEY, 0),
]);
const words = answers.map((answer) => (answer < 0 ? errnoName(-answer) : `queue ${answer}`));
console.log(`made ${words[0]}, found ${words[1]}; in the next namespace: ${words[2]}`);

//> made queue 0, found queue 0; in the next namespace: ENOENT
