// A root from an archive, such as Buildroot's output/images/rootfs.tar.gz: bun rootfs.ts rootfs.tar.gz
import { run } from "nsrun";

const rootfs = process.argv[2] ?? "rootfs.tar.gz";

// it is unpacked once, into a cache; /dev is made for each container
const first = await run("cat /etc/issue; echo x >/dev/null && touch /new && ls /new", { rootfs });
console.log(first.stdout.trim());

// and never modified: a layer took what was written, and is gone
const second = await run("ls /new", { rootfs });
console.log(second.code === 0 ? "still there" : "gone");

// a directory is a root too; with rw it is written in place: { rootfs: "output/target", rw: true }

//> Welcome to …
//> /new
//> gone
