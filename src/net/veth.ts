/** Pairs of virtual Ethernet interfaces: veth(4), ip-link(8), linux/veth.h. */
import { attrString, attrText, attrU32, concat, nest } from "./attrs.ts";
import { IFF_UP, IFLA, IFLA_INFO_KIND, ifinfomsg } from "./link.ts";
import { NLM_F, type Request, RTM } from "./message.ts";

const IFLA_INFO_DATA = 2;
const VETH_INFO_PEER = 1;

export interface VethOptions {
  /** The end that is made here. */
  readonly name: string;
  /** Set it up at once. The peer cannot be: ENOTCONN. */
  readonly up?: boolean;
  /** Bytes; both ends get it. */
  readonly mtu?: number;
  /** The other end: with `netns`, a descriptor of /proc/PID/ns/net, it is made there; else beside the first. */
  readonly peer: { readonly name: string; readonly netns?: number };
}

function command(name: string, up: boolean, mtu: number | undefined, peer: VethOptions["peer"]): string {
  const size = mtu === undefined ? "" : `mtu ${mtu}`;
  const netns = peer.netns === undefined ? "" : `netns /proc/self/fd/${peer.netns}`;
  const words = ["ip link add name", name, up ? "up" : "", size, "type veth peer name", peer.name, size, netns];
  return words.filter((word) => word !== "").join(" ");
}

/**
 * `ip link add name NAME [mtu N] [up] type veth peer name PEER [mtu N] [netns FILE]`: both ends made where they stay, with their final
 * names. Moving one afterwards costs 20 ms.
 */
export function addVeth({ name, up = false, mtu, peer }: VethOptions): Request {
  const mtuAttr = mtu === undefined ? [] : [attrU32(IFLA.MTU, mtu)];
  const netnsAttr = peer.netns === undefined ? [] : [attrU32(IFLA.NET_NS_FD, peer.netns)];
  const peerBody = concat([ifinfomsg(), ...mtuAttr, ...netnsAttr, attrString(IFLA.IFNAME, peer.name)]);
  const data = nest(IFLA_INFO_DATA, nest(VETH_INFO_PEER, peerBody));
  return {
    label: `create veth pair ${name} and ${peer.name}`,
    /** Made when somebody looks: this is on the way to a start. */
    get command() {
      return command(name, up, mtu, peer);
    },
    type: RTM.NEWLINK,
    flags: NLM_F.CREATE | NLM_F.EXCL,
    body: concat([
      ifinfomsg(up ? IFF_UP : 0, up ? IFF_UP : 0),
      ...mtuAttr,
      attrString(IFLA.IFNAME, name),
      nest(IFLA.LINKINFO, attrText(IFLA_INFO_KIND, "veth"), data),
    ]),
    meaning: {
      EEXIST: `an interface ${name} exists already here, or ${peer.name} there`,
      EOPNOTSUPP: "this kernel has no veth interfaces",
    },
  };
}
