// The article's network example: a veth pair between parent and container, and a ping each way.
//   sudo bun examples/02-network.ts            (or in a network namespace of its own: sudo unshare -n bun …)
import { container } from "../src/index.ts";

await using box = await container({ net: "veth", hostIp: "10.0.0.1/24", ip: "10.0.0.2/24", capAdd: ["net_raw"] }); // busybox ping

const links = await box.exec("ip -o link | cut -d: -f2");
console.log("inside:", links.stdout.replace(/\s+/g, " ").trim());

const out = await box.exec(["ping", "-c1", "-W2", "10.0.0.1"]);
console.log(`container to parent: ${out.code === 0 ? "reply" : "no reply"}`);

const back = Bun.spawnSync(["ping", "-c1", "-W2", "10.0.0.2"]);
console.log(`parent to container: ${back.exitCode === 0 ? "reply" : "no reply"}`);

process.exitCode = out.code || back.exitCode;
