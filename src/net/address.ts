/** Addresses of interfaces: ip-address(8), linux/if_addr.h. */
import { NsrunError } from "../errors.ts";
import { attr, concat, parseAttrs, readString, readU32, viewOf } from "./attrs.ts";
import { AF_INET, AF_INET6, type Cidr, cidrOf } from "./cidr.ts";
import { type Message, NLM_F, type Request, RTM } from "./message.ts";

const IFA = { ADDRESS: 1, LOCAL: 2, LABEL: 3, FLAGS: 8 } as const;
const IFA_F_NODAD = 2;
const RT_SCOPE_UNIVERSE = 0;
const RT_SCOPE_HOST = 254;
const IFADDRMSG = 8;

/** struct ifaddrmsg {u8 family, u8 prefixlen, u8 flags, u8 scope, u32 index}, rtnetlink(7). */
function ifaddrmsg(family: number, prefix: number, flags: number, scope: number, index: number): Uint8Array {
  const out = new Uint8Array(IFADDRMSG);
  out.set([family, prefix, flags, scope]);
  viewOf(out).setUint32(4, index, true);
  return out;
}

/**
 * `ip address add CIDR dev DEV [nodad]`. As `ip` does: no broadcast address unless asked for. IPv6 gets nodad, so that it can be
 * used at once rather than after a second of duplicate detection.
 */
export function addAddress(dev: string, index: number, cidr: Cidr): Request {
  const { family, address, prefix, text } = cidr;
  const flags = family === AF_INET6 ? IFA_F_NODAD : 0;
  const scope = family === AF_INET && address[0] === 127 ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
  return {
    label: `add address ${text} to ${dev}`,
    command: `ip address add ${text} dev ${dev}${flags ? " nodad" : ""}`,
    type: RTM.NEWADDR,
    flags: NLM_F.CREATE | NLM_F.EXCL,
    body: concat([ifaddrmsg(family, prefix, flags, scope, index), attr(IFA.LOCAL, address), attr(IFA.ADDRESS, address)]),
    meaning: {
      EEXIST: `${dev} has this address already`,
      ENODEV: `there is no interface ${dev}`,
      // the kernel's answer to an IPv6 address where IPv6 is switched off
      EACCES: `IPv6 is disabled on ${dev}`,
    },
  };
}

/** An address, as `ip address` shows it. */
export interface Address {
  /** ifindex of its link. */
  readonly index: number;
  readonly cidr: Cidr;
  /** 0 global, 253 link, 254 host: rtnetlink(7). */
  readonly scope: number;
  /** IFA_F_*: linux/if_addr.h */
  readonly flags: number;
  readonly label: string | undefined;
}

/** Reads an RTM_NEWADDR: IFA_LOCAL, or IFA_ADDRESS where there is no other (IPv6). Throws NsrunError when malformed. */
export function parseAddressMessage({ body }: Message): Address {
  if (body.length < IFADDRMSG) throw new NsrunError("netlink: malformed address");
  const attrs = parseAttrs(body.subarray(IFADDRMSG));
  const family = body[0];
  const address = attrs.get(IFA.LOCAL) ?? attrs.get(IFA.ADDRESS);
  if (!address || address.length !== (family === AF_INET ? 4 : 16)) throw new NsrunError("netlink: malformed address");
  return {
    index: viewOf(body).getUint32(4, true),
    cidr: cidrOf(address, body[1] ?? 0),
    scope: body[3] ?? 0,
    flags: readU32(attrs, IFA.FLAGS) ?? body[2] ?? 0,
    label: readString(attrs, IFA.LABEL),
  };
}

/** `ip address`: all IPv4 and IPv6 addresses of the socket's network namespace. */
export function listAddresses(socket: { dump(request: Request): Message[] }): Address[] {
  const request = { label: "list addresses", command: "ip address", type: RTM.GETADDR, flags: 0, body: ifaddrmsg(0, 0, 0, 0, 0) };
  const known = ({ type, body }: Message): boolean => type === RTM.NEWADDR && (body[0] === AF_INET || body[0] === AF_INET6);
  return socket.dump(request).filter(known).map(parseAddressMessage);
}
