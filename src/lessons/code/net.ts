// A veth pair between parent and container, and a ping each way. As root.
import { container, run } from "nsrun";

await using box = await container({ net: "veth", hostIp: "10.87.0.1/24", ip: "10.87.0.2/24", capAdd: ["net_raw"] });

const links = await box.exec("ls /sys/class/net");
console.log(`in the container: ${links.stdout.trim().split(/\s+/).join(", ")}`);

const out = await box.exec(["ping", "-c1", "10.87.0.1"]);
console.log(`child to parent: ${out.code === 0 ? "a reply" : "none"}`);

// this container keeps the parent's network namespace, and in it only root of the parent's user namespace may ping
const back = await run(["ping", "-c1", "10.87.0.2"], { net: "host", userns: "host", capAdd: ["net_raw"] });
console.log(`parent to child: ${back.code === 0 ? "a reply" : "none"}`);

//> in the container: eth0, lo
//> child to parent: a reply
//> parent to child: a reply
