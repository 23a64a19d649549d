/**
 * What can be done to a network, as plain data that a plan holds and JSON carries. Links go by name; where the kernel wants an
 * index it is looked up when the request is made (4 µs), because numbers chosen beforehand clash with the fallback
 * devices (tunl0, sit0, …) that some kernels put into every new network namespace.
 */
import { addAddress } from "./address.ts";
import { parseAddress, parseCidr } from "./cidr.ts";
import { removeLink, setLinkAlias, setLinkDown, setLinkUp } from "./link.ts";
import type { Request } from "./message.ts";
import { addDefaultRoute } from "./route.ts";
import { addVeth, type VethOptions } from "./veth.ts";

export type NetVerb =
  | ({ readonly verb: "link add veth" /** At most 255 bytes. */; readonly alias?: string } & VethOptions)
  | { readonly verb: "link set alias"; readonly dev: string; readonly alias: string }
  | { readonly verb: "link set up"; readonly dev: string }
  | { readonly verb: "link set down"; readonly dev: string }
  | { readonly verb: "link delete"; readonly dev: string }
  /** `cidr` as in `10.0.0.2/24`. */
  | { readonly verb: "address add"; readonly dev: string; readonly cidr: string }
  | { readonly verb: "route add default"; readonly dev: string; readonly via: string };

/** The requests of a verb, `indexOf` giving the ifindex of a name. */
function encode(verb: NetVerb, indexOf: (dev: string) => number): Request[] {
  switch (verb.verb) {
    case "link add veth":
      return verb.alias === undefined ? [addVeth(verb)] : [addVeth(verb), setLinkAlias(verb.name, verb.alias)];
    case "link set alias":
      return [setLinkAlias(verb.dev, verb.alias)];
    case "link set up":
      return [setLinkUp(verb.dev)];
    case "link set down":
      return [setLinkDown(verb.dev)];
    case "link delete":
      return [removeLink(verb.dev)];
    case "address add":
      return [addAddress(verb.dev, indexOf(verb.dev), parseCidr(verb.cidr))];
    case "route add default":
      return [addDefaultRoute(verb.dev, indexOf(verb.dev), parseAddress(verb.via))];
  }
}

/** The requests for `socket.run`. Throws NetlinkError when a link to be looked up does not exist, UsageError for a bad address. */
export function toRequests(socket: { indexOf(dev: string): number }, verb: NetVerb): Request[] {
  return encode(verb, (dev) => socket.indexOf(dev));
}

/** The equivalent `ip` commands, to paste. `netns` replaces the peer's descriptor, which a shell does not have. */
export function describe(verb: NetVerb, netns?: string): string {
  const commands = encode(verb, () => 0).map(({ command }) => command);
  const text = commands.join(" && ");
  return netns === undefined ? text : text.replace(/netns \/proc\/self\/fd\/\d+/, () => `netns ${netns}`);
}
