/** Routes: ip-route(8), linux/rtnetlink.h. */
import { NsrunError } from "../errors.ts";
import { attr, attrU32, concat, parseAttrs, readU32, viewOf } from "./attrs.ts";
import { AF_INET, AF_INET6, type Cidr, cidrOf, type Family, familyOf, formatAddress } from "./cidr.ts";
import { type Message, NLM_F, type Request, RTM } from "./message.ts";

const RTA = { DST: 1, OIF: 4, GATEWAY: 5, PRIORITY: 6, MULTIPATH: 9, TABLE: 15, VIA: 18, NH_ID: 30 } as const;
const RT_TABLE_MAIN = 254;
const RTPROT_BOOT = 3;
export const RTN_UNICAST = 1;
const RTMSG = 12;

/** struct rtmsg {u8 family, dst_len, src_len, tos, table, protocol, scope, type, u32 flags}, rtnetlink(7). */
function rtmsg(...fields: number[]): Uint8Array {
  const out = new Uint8Array(RTMSG);
  out.set(fields);
  return out;
}

/** `ip route add default via GATEWAY dev DEV`; for IPv6 `ip -6 route …`. The gateway must be reachable: address and link come first. */
export function addDefaultRoute(dev: string, index: number, gateway: Uint8Array): Request {
  const family = familyOf(gateway);
  const via = formatAddress(gateway);
  return {
    label: `add default route via ${via}`,
    command: `ip ${family === AF_INET6 ? "-6 " : ""}route add default via ${via} dev ${dev}`,
    type: RTM.NEWROUTE,
    flags: NLM_F.CREATE | NLM_F.EXCL,
    body: concat([
      rtmsg(family, 0, 0, 0, RT_TABLE_MAIN, RTPROT_BOOT, 0, RTN_UNICAST),
      attr(RTA.GATEWAY, gateway),
      attrU32(RTA.OIF, index),
    ]),
    meaning: { EEXIST: "a default route exists already", ENETUNREACH: `${via} cannot be reached through ${dev}` },
  };
}

/** A route, as `ip route show table all` shows it. */
export interface Route {
  readonly family: Family;
  /** Prefix 0 is the default route. */
  readonly destination: Cidr;
  readonly gateway: string | undefined;
  /** ifindex of the link it goes out by. */
  readonly index: number | undefined;
  /** 254 main, 255 local. */
  readonly table: number;
  /** RTN_*: 1 unicast, 2 local, 3 broadcast. */
  readonly type: number;
  /** RTPROT_*: 2 kernel, 3 boot. */
  readonly protocol: number;
  /** 0 universe, 253 link, 254 host. */
  readonly scope: number;
  readonly metric: number | undefined;
  /** Straight to the link: no gateway, no next-hop object, not several ways. */
  readonly connected: boolean;
}

/** Reads an RTM_NEWROUTE. Throws NsrunError when malformed. */
export function parseRoute({ body }: Message): Route {
  if (body.length < RTMSG) throw new NsrunError("netlink: malformed route");
  const family: Family = body[0] === AF_INET ? AF_INET : AF_INET6;
  const attrs = parseAttrs(body.subarray(RTMSG));
  const size = family === AF_INET ? 4 : 16;
  const destination = attrs.get(RTA.DST) ?? new Uint8Array(size);
  const gateway = attrs.get(RTA.GATEWAY);
  const type = body[7] ?? 0;
  if (destination.length !== size || (gateway && gateway.length !== size)) throw new NsrunError("netlink: malformed route");
  const indirect = [RTA.GATEWAY, RTA.VIA, RTA.MULTIPATH, RTA.NH_ID].some((name) => attrs.has(name));
  return {
    family,
    destination: cidrOf(destination, viewOf(body).getUint8(1)),
    gateway: gateway && formatAddress(gateway),
    index: readU32(attrs, RTA.OIF),
    table: readU32(attrs, RTA.TABLE) ?? body[4] ?? 0,
    type,
    protocol: body[5] ?? 0,
    scope: body[6] ?? 0,
    metric: readU32(attrs, RTA.PRIORITY),
    connected: type === RTN_UNICAST && !indirect,
  };
}

/** `ip route show table all`: the IPv4 and IPv6 routes of the socket's network namespace. */
export function listRoutes(socket: { dump(request: Request): Message[] }): Route[] {
  const request = { label: "list routes", command: "ip route show table all", type: RTM.GETROUTE, flags: 0, body: rtmsg() };
  const known = ({ type, body }: Message): boolean => type === RTM.NEWROUTE && (body[0] === AF_INET || body[0] === AF_INET6);
  return socket.dump(request).filter(known).map(parseRoute);
}
