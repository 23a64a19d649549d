/** The container's network: loopback by the container itself, a veth pair by the parent over rtnetlink. */
import { AT_FDCWD, O } from "../ffi/flags.ts";
import { utf8 } from "../ffi/text.ts";
import { step } from "./list.ts";
import type { ContainerSpec } from "./spec.ts";
import { type NetStep, REG, type Step, type SyscallStep, slot } from "./step.ts";

const AF_INET = 2;
const SOCK_DGRAM_CLOEXEC = 2 | 0x80000;
const SIOCSIFFLAGS = 0x8914; // linux/sockios.h
const IFF_UP_RUNNING = 0x41; // linux/if.h

/** struct ifreq {"lo", flags} of netdevice(7). */
function ifreq(): Uint8Array {
  const bytes = new Uint8Array(40);
  bytes.set(utf8("lo"));
  bytes[16] = IFF_UP_RUNNING;
  return bytes;
}

/** `ip link set lo up`, made by the container: no round trip, no privilege outside. */
export function loopbackUp(): SyscallStep[] {
  return [
    step("container", "a socket to reach the interfaces", "socket", [AF_INET, SOCK_DGRAM_CLOEXEC, 0], { store: true }),
    step("container", "set lo up", "ioctl", [
      REG,
      SIOCSIFFLAGS,
      { bytes: ifreq(), text: '{ifr_name="lo", ifr_flags=IFF_UP|IFF_RUNNING}' },
    ]),
  ];
}

/** GID_T_MAX of the kernel. */
const MOST = 2147483647;

/** The groups that may ping: the line of the map that has the command's, since both ends must exist here. */
function pingGroups({ namespaces, privileged, idMaps, process: { gid } }: ContainerSpec): string {
  if (privileged && namespaces.user.mode === "share") return `0 ${MOST}`;
  for (const { containerId, size } of idMaps?.gid ?? []) {
    const last = containerId + size - 1;
    if (containerId <= gid && gid <= last) return `${containerId} ${last < MOST ? last : MOST}`;
  }
  return `${gid} ${gid}`;
}

/** icmp(7): ping without CAP_NET_RAW. `sysctl net.ipv4.ping_group_range=…` in the container's own network namespace. */
export function pingSteps(spec: ContainerSpec): SyscallStep[] {
  if (spec.namespaces.net.mode !== "new") return [];
  const text = pingGroups(spec);
  const path = "sys/net/ipv4/ping_group_range";
  return [
    step("container", "open ping_group_range", "openat", [slot("proc"), path, O.O_WRONLY | O.O_CLOEXEC, 0], { store: true }),
    step("container", "let these groups ping", "write", [REG, { bytes: utf8(text), text: `"${text}"` }, text.length], {
      exact: true,
    }),
    step("container", "close it", "close", [REG]),
  ];
}

/** `ip link add … type veth peer name … netns …` with addresses on both sides, before the container goes on. */
export function networkSteps(spec: ContainerSpec): Step[] {
  const { net } = spec;
  if (net.mode !== "veth") return [];
  const { hostName, name, alias } = net;
  const on = (side: NetStep["side"], label: string, verb: NetStep["verb"]): NetStep => ({ lane: "parent", label, side, verb });
  const path = { template: ["/proc/", slot("pid"), "/ns/net"] };
  return [
    step("parent", "open the container's network namespace", "openat", [AT_FDCWD, path, O.O_RDONLY | O.O_CLOEXEC, 0], {
      store: "netns",
    }),
    {
      ...on("host", `create the pair ${hostName} (here) and ${name} (container)`, {
        verb: "link add veth",
        name: hostName,
        alias,
        up: true,
        peer: { name },
      }),
      peerIn: "netns",
      why: "both ends where they stay: moving one to another namespace costs 20 ms",
    },
    on("host", `address ${net.subnet.host.text} on ${hostName}`, {
      verb: "address add",
      dev: hostName,
      cidr: net.subnet.host.text,
    }),
    on("container", `address ${net.subnet.container.text} on ${name}`, {
      verb: "address add",
      dev: name,
      cidr: net.subnet.container.text,
    }),
    on("container", `set ${name} up`, { verb: "link set up", dev: name }),
    ...(net.gateway === undefined
      ? []
      : [on("container", `default route via ${net.gateway}`, { verb: "route add default", via: net.gateway, dev: name })]),
  ];
}

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0x80000;

/**
 * `ip link delete`, by the stage when the container is dead. The kernel would remove the pair with the namespace, but in the
 * background, some 40 ms later: whoever looks after the run must find nothing. It takes 20 ms, in which nobody waits: the
 * result is delivered already, and Bun's event loop is not the one that blocks.
 */
export function removeLinkSteps(spec: ContainerSpec): SyscallStep[] {
  const { net } = spec;
  if (net.mode !== "veth") return [];
  const message = { bytes: net.removal, text: `{RTM_DELLINK, IFLA_IFNAME="${net.hostName}"}` };
  return [
    step("stage", "a socket to the host's network", "socket", [AF_NETLINK, SOCK_RAW_CLOEXEC, 0], { store: true }),
    step("stage", `delete ${net.hostName}`, "sendto", [REG, message, net.removal.length, 0, 0, 0], { exact: true }),
  ];
}
