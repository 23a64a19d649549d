/** Network interfaces: ip-link(8), linux/if_link.h. Only listLinks and findLink talk to the kernel. */
import { NsrunError } from "../errors.ts";
import { type Attrs, attrString, attrText, attrU32, concat, parseAttrs, readString, readU32, viewOf } from "./attrs.ts";
import { type Message, type Request, RTM } from "./message.ts";

export const IFLA = {
  ADDRESS: 1,
  IFNAME: 3,
  MTU: 4,
  LINK: 5,
  MASTER: 10,
  LINKINFO: 18,
  IFALIAS: 20,
  NET_NS_FD: 28,
  EXT_MASK: 29,
  LINK_NETNSID: 37,
} as const;
export const IFLA_INFO_KIND = 1;
const RTEXT_FILTER_SKIP_STATS = 8;
export const IFF_UP = 1;
const IFINFOMSG = 16;

/** struct ifinfomsg {u8 family, u8 pad, u16 type, s32 index, u32 flags, u32 change}, rtnetlink(7). */
export function ifinfomsg(flags = 0, change = 0): Uint8Array {
  const out = new Uint8Array(IFINFOMSG);
  out[8] = flags;
  out[12] = change;
  return out;
}

/** A change of the link called `dev`. The kernel finds it by IFLA_IFNAME, so no index is needed. */
function setLink(dev: string, label: string, words: string, flags: Uint8Array, attrs: Uint8Array[] = []): Request {
  return {
    label,
    command: `ip link set dev ${dev} ${words}`,
    type: RTM.NEWLINK,
    flags: 0,
    body: concat([flags, ...attrs, attrString(IFLA.IFNAME, dev)]),
    meaning: { ENODEV: `there is no interface ${dev}` },
  };
}

/** `ip link set dev DEV up` */
export const setLinkUp = (dev: string): Request => setLink(dev, `set ${dev} up`, "up", ifinfomsg(IFF_UP, IFF_UP));

/** `ip link set dev DEV down` */
export const setLinkDown = (dev: string): Request => setLink(dev, `set ${dev} down`, "down", ifinfomsg(0, IFF_UP));

/** A word for a shell. */
const quote = (text: string): string => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** `ip link set dev DEV alias TEXT`. A message of its own: the kernel ignores IFLA_IFALIAS when it creates a link. */
export function setLinkAlias(dev: string, alias: string): Request {
  return setLink(dev, `mark ${dev} with alias ${alias}`, `alias ${quote(alias)}`, ifinfomsg(), [attrText(IFLA.IFALIAS, alias)]);
}

/** `ip link delete dev DEV`; of a veth pair both ends go. */
export function removeLink(dev: string): Request {
  return {
    label: `delete ${dev}`,
    command: `ip link delete dev ${dev}`,
    type: RTM.DELLINK,
    flags: 0,
    body: concat([ifinfomsg(), attrString(IFLA.IFNAME, dev)]),
    meaning: { ENODEV: `there is no interface ${dev}` },
  };
}

function getLink(label: string, command: string, attrs: Uint8Array[]): Request {
  const body = concat([ifinfomsg(), ...attrs, attrU32(IFLA.EXT_MASK, RTEXT_FILTER_SKIP_STATS)]);
  return { label, command, type: RTM.GETLINK, flags: 0, body };
}

/** An interface, as `ip -d link` shows it. */
export interface Link {
  readonly index: number;
  readonly name: string;
  readonly up: boolean;
  /** Bytes. */
  readonly mtu: number | undefined;
  readonly alias: string | undefined;
  /** IFLA_INFO_KIND: `veth`, `bridge`; undefined for hardware and lo. */
  readonly kind: string | undefined;
  /** `02:00:00:00:00:01` */
  readonly mac: string | undefined;
  /** Index of the bridge it belongs to. */
  readonly master: number | undefined;
  /** Index of the veth peer or the lower device, in the namespace `peerNetns` when that is not undefined. */
  readonly peer: number | undefined;
  readonly peerNetns: number | undefined;
}

/** Reads an RTM_NEWLINK. Throws NsrunError when malformed. */
export function parseLink({ body }: Message): Link {
  if (body.length < IFINFOMSG) throw new NsrunError("netlink: malformed link");
  const view = viewOf(body);
  const attrs: Attrs = parseAttrs(body.subarray(IFINFOMSG));
  const info = attrs.get(IFLA.LINKINFO);
  const mac = attrs.get(IFLA.ADDRESS);
  return {
    index: view.getInt32(4, true),
    name: readString(attrs, IFLA.IFNAME) ?? "",
    up: (view.getUint32(8, true) & IFF_UP) !== 0,
    mtu: readU32(attrs, IFLA.MTU),
    alias: readString(attrs, IFLA.IFALIAS),
    kind: info && readString(parseAttrs(info), IFLA_INFO_KIND),
    mac: mac && Array.from(mac, (byte) => byte.toString(16).padStart(2, "0")).join(":"),
    master: readU32(attrs, IFLA.MASTER),
    peer: readU32(attrs, IFLA.LINK),
    peerNetns: readU32(attrs, IFLA.LINK_NETNSID),
  };
}

/** `ip link`: all links of the socket's network namespace. */
export function listLinks(socket: { dump(request: Request): Message[] }): Link[] {
  const answers = socket.dump(getLink("list links", "ip link", []));
  return answers.filter(({ type }) => type === RTM.NEWLINK).map(parseLink);
}

/** `ip link show dev DEV`: one link. Throws NetlinkError ENODEV. One round trip, 4 µs. */
export function findLink(socket: { get(request: Request): Message }, dev: string): Link {
  const request = getLink(`find ${dev}`, `ip link show dev ${dev}`, [attrString(IFLA.IFNAME, dev)]);
  return parseLink(socket.get({ ...request, meaning: { ENODEV: `there is no interface ${dev}` } }));
}
