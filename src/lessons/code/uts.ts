// A container's host name is its own.
import { run } from "nsrun";
import { uname } from "nsrun/ffi";

const before = uname().nodename;
const { stdout } = await run("hostname", { hostname: "lesson" });
console.log(`inside: ${stdout.trim()}`);
console.log(`outside: ${uname().nodename === before ? "as before" : "changed"}`);

//> inside: lesson
//> outside: as before
