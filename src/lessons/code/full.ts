// The article's last example: own processes, network, mounts, host name, IPC and root. Then a shell.
import { run, start } from "nsrun";

const root = process.getuid?.() === 0;
const net = root ? "veth" : "none"; // a veth pair's other end lies in the host's network, which takes root

const { stdout } = await run("echo pid $$; hostname; ls /sys/class/net | grep lo", { init: false, hostname: "lesson", net });
console.log(stdout.trim());

if (process.stdin.isTTY) {
  const shell = await start(["/bin/sh"], {
    init: false,
    net,
    capAdd: ["net_raw"], // for ping
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit",
    tty: "auto",
  });
  await shell.result;
  await shell.closed;
}

//> pid 1
//> lesson
//> lo
