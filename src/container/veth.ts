/** The host's side of --net veth: addresses that nobody else has, a name that carries our mark, what removes it. */
import { UsageError } from "../errors.ts";
import { familyOf, formatAddress, parseAddress } from "../net/cidr.ts";
import { removeLink } from "../net/link.ts";
import { encodeMessage } from "../net/message.ts";
import { hostIfname, ifalias, validateIfname } from "../net/names.ts";
import { reserveSubnet, type Subnet } from "../net/reserve.ts";
import { NetlinkSocket } from "../net/socket.ts";
import { type NetVerb, toRequests } from "../net/verb.ts";
import type { NetPlan } from "./network.ts";
import type { ContainerOptions } from "./options.ts";
import type { NetworkDriver } from "./slots.ts";

/** One rtnetlink socket for each side, opened when first needed. */
class VethDriver implements NetworkDriver {
  readonly #sockets = new Map<string, NetlinkSocket>();

  run(side: "host" | "container", verb: NetVerb, netns: () => number): void {
    const socket = this.#sockets.get(side) ?? (side === "host" ? NetlinkSocket.open() : NetlinkSocket.openIn(netns()));
    this.#sockets.set(side, socket);
    socket.run(toRequests(socket, verb));
  }
  [Symbol.dispose](): void {
    for (const socket of this.#sockets.values()) socket[Symbol.dispose]();
    this.#sockets.clear();
  }
}

/** Default: the host's address, so that everything beyond the pair is sent to the host. "none": no default route. */
function gateway(options: ContainerOptions, subnet: Subnet): string | undefined {
  const asked = options.gateway;
  if (asked === "none") return undefined;
  if (asked === undefined) return formatAddress(subnet.host.address);
  if (familyOf(parseAddress(asked, "--gateway")) !== subnet.container.family) {
    throw new UsageError(`--gateway ${asked}: not of the same address family as --ip ${subnet.container.text}`);
  }
  return asked;
}

export function vethPlan(options: ContainerOptions, name: string): NetPlan {
  const inside = validateIfname(options.ifname ?? "eth0", "--ifname");
  const subnet = reserveSubnet({ hostIp: options.hostIp, ip: options.ip });
  try {
    const hostName = hostIfname();
    return {
      net: {
        mode: "veth",
        hostName,
        alias: ifalias(name),
        name: inside,
        subnet,
        removal: encodeMessage(removeLink(hostName)),
        gateway: gateway(options, subnet),
      },
      driver: new VethDriver(),
      release: () => subnet[Symbol.dispose](),
    };
  } catch (error) {
    subnet[Symbol.dispose]();
    throw error;
  }
}
