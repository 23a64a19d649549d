/** The host's side of --net veth: addresses that nobody else has, a name that carries our mark, and its removal. */
import { parseCidr } from "../net/cidr.ts";
import { removeLink } from "../net/link.ts";
import { hostIfname, ifalias } from "../net/names.ts";
import { reserveSubnet } from "../net/reserve.ts";
import { NetlinkSocket } from "../net/socket.ts";
import { type NetVerb, toRequests } from "../net/verb.ts";
import type { ContainerOptions } from "./options.ts";
import type { NetworkDriver } from "./slots.ts";
import type { NetPlan } from "./spec.ts";

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
