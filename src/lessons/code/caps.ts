// root without CAP_SYS_ADMIN may not even set the host name.
import { ask, CLONE, errnoName, mapRoot, observe } from "nsrun/ffi";

const rootless = process.getuid?.() !== 0;
const header = new Uint8Array(new Uint32Array([0x20080522, 0]).buffer); // capget(2), version 3
const none = new Uint8Array(24); // no effective, permitted, inheritable ones

const { answers } = observe(CLONE.CLONE_NEWUTS | (rootless ? CLONE.CLONE_NEWUSER : 0), [
  ...(rootless ? mapRoot() : []),
  ask("sethostname", "lesson", 6),
  ["capset", { bytes: header, text: "version 3" }, { bytes: none, text: "none" }],
  ask("geteuid"),
  ask("sethostname", "lesson", 6),
]);
const [before, uid, after] = answers;
console.log(`with all capabilities: ${before}; user ${uid} without any: ${errnoName(-after!)}`);

//> with all capabilities: 0; user 0 without any: EPERM
