/** A machine to test uplinks on: a network namespace with addresses, a default route, servers, and a tun device for all. An ordinary user makes it in a user namespace. */
import { readdirSync, readlinkSync, writeFileSync } from "node:fs";
import { ENTER_USER, isRoot, type Outcome, shell, type Temporary, until } from "../helpers.ts";

export const ADDRESSES = ["192.0.2.1", "192.0.2.7"] as const;
export const TCP = 7001;
export const UDP = 7002;

/** In namespaces of its own: nothing here touches the machine's network, mounts or devices. */
const SETUP = `set -e
ip link set lo up
ip link add up0 type veth peer name up1
ip link set up1 up
for address in ${ADDRESSES.join(" ")}; do ip addr add $address/24 dev up0; done
ip link set up0 up
ip route add default via 192.0.2.254 dev up0
if [ "$2" = root ]; then
  mkdir -p /dev/net
  mount -t tmpfs -o mode=755 tmpfs /dev/net
  mknod -m 666 /dev/net/tun c 10 200
  chmod 666 /dev/net/tun
fi
mount --bind "$1" /etc/resolv.conf
shift 2
exec "$@"`;

/** An ordinary user needs ranges of ids for that: others than he are to be in the lab. */
export const LAB: readonly string[] = isRoot ? ["unshare", "-nm"] : ["unshare", "-Urnm", "--map-auto"];

export interface Machine extends AsyncDisposable {
  /** The beginning of a command line that runs there. */
  readonly enter: readonly string[];
  run(argv: readonly string[], env?: Record<string, string>): Promise<Outcome>;
  /** Its processes, but for the servers. */
  others(): number[];
}

const netOf = (pid: number | string): string | undefined => {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return undefined; // it has ended meanwhile
  }
};

/** `resolvConf`: the machine's own. Needs unshare, ip, and the kernel's veth. */
export async function machine(place: Temporary, resolvConf: string): Promise<Machine> {
  const file = place.file("resolv.conf");
  writeFileSync(file, resolvConf, { mode: 0o644 });
  const servers = [new URL("servers.ts", import.meta.url).pathname, ADDRESSES.join(","), TCP, UDP, `127.0.0.53,${ADDRESSES[1]}`];
  const child = Bun.spawn(
    [
      ...LAB,
      "sh",
      "-c",
      SETUP,
      "setup",
      file,
      isRoot ? "root" : "user",
      process.execPath,
      "--no-env-file",
      ...servers.map(String),
    ],
    { stdin: "pipe", stdout: "pipe", stderr: "inherit" },
  );
  await until(child.stdout.getReader(), "ready\n");
  const enter = ["nsenter", ...ENTER_USER, "-t", String(child.pid), "-n", "-m"];
  const own = netOf(child.pid);
  return {
    enter,
    run: (argv, env = {}) => shell([...enter, ...argv], { env }),
    others: () =>
      readdirSync("/proc")
        .filter((name) => /^[0-9]+$/.test(name) && name !== String(child.pid) && netOf(name) === own)
        .map(Number),
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await child.exited;
    },
  };
}
