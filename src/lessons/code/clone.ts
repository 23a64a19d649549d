// fork copies the memory, clone(CLONE_VM) shares it. No root needed.
import { CLONE, cloneHere } from "nsrun/ffi";

// the child makes one call, getpid(), writes the answer to a word of memory that was 0, and ends
const fork = cloneHere(0, "getpid");
console.log(`after fork the parent's word is ${fork.word}`);

const shared = cloneHere(CLONE.CLONE_VM, "getpid");
console.log(`after clone(CLONE_VM) it is ${shared.word === shared.pid ? "the child's pid" : "something else"}`);

//> after fork the parent's word is 0
//> after clone(CLONE_VM) it is the child's pid
