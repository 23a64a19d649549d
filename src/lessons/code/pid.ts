// The first process of a pid namespace is 1, and its parent is outside of it: 0.
import { ask, CLONE, mapRoot, observe } from "nsrun/ffi";

// without root a user namespace as well, and root in it
const rootless = process.getuid?.() !== 0;
const user = rootless ? CLONE.CLONE_NEWUSER : 0;

const child = observe(CLONE.CLONE_NEWPID | user, [...(rootless ? mapRoot() : []), ask("getpid"), ask("getppid")]);
const [pid, ppid] = child.answers;
console.log(`inside: getpid() ${pid}, getppid() ${ppid}`);
console.log(`outside: ${child.pid}`);

//> inside: getpid() 1, getppid() 0
//> outside: …
