/** Netlink messages, netlink(7), linux/netlink.h: a 16-byte nlmsghdr, then the body. Pure: the socket is in socket.ts. */
import { NsrunError } from "../errors.ts";
import { align, parseAttrs, readString, readU32, viewOf } from "./attrs.ts";

export const NLMSG_HDRLEN = 16;
export const NLMSG = { ERROR: 2, DONE: 3, OVERRUN: 4 } as const;
export const NLM_F = {
  REQUEST: 1,
  ACK: 4,
  /** In an answer: the dump was disturbed by a change. */
  DUMP_INTR: 0x10,
  DUMP: 0x300,
  EXCL: 0x200,
  CREATE: 0x400,
  /** In an NLMSG_ERROR: the request's body was left out. */
  CAPPED: 0x100,
  /** In an NLMSG_ERROR or NLMSG_DONE: extended ack attributes follow. */
  ACK_TLVS: 0x200,
} as const;
/** rtnetlink(7), linux/rtnetlink.h */
export const RTM = {
  NEWLINK: 16,
  DELLINK: 17,
  GETLINK: 18,
  NEWADDR: 20,
  GETADDR: 22,
  NEWROUTE: 24,
  GETROUTE: 26,
} as const;
const NLMSGERR_ATTR = { MSG: 1, OFFS: 2 } as const;

/** One rtnetlink request: what the kernel gets, and how to speak about it. Made by link.ts, address.ts, route.ts. */
export interface Request {
  /** In words, for errors: `create veth pair nsr0 and eth0`. */
  readonly label: string;
  /** The equivalent `ip` command. */
  readonly command: string;
  /** nlmsg_type, one of {@link RTM}. */
  readonly type: number;
  /** nlmsg_flags beside NLM_F_REQUEST; the socket adds NLM_F_ACK and NLM_F_DUMP. */
  readonly flags: number;
  /** The family header (ifinfomsg, ifaddrmsg, rtmsg) and the attributes. */
  readonly body: Uint8Array;
  /** A sentence for an errno that the kernel leaves unexplained, by errno name: `{ EEXIST: "…" }`. */
  readonly meaning?: Readonly<Record<string, string>>;
}

/** The bytes of a request: nlmsghdr {u32 len, u16 type, u16 flags, u32 seq, u32 pid} and body. */
export function encodeMessage(request: Request, seq = 0, flags = 0): Uint8Array {
  const length = NLMSG_HDRLEN + request.body.length;
  const out = new Uint8Array(align(length));
  const view = viewOf(out);
  view.setUint32(0, length, true);
  view.setUint16(4, request.type, true);
  view.setUint16(6, NLM_F.REQUEST | request.flags | flags, true);
  view.setUint32(8, seq, true);
  out.set(request.body, NLMSG_HDRLEN);
  return out;
}

/** A message received. */
export interface Message {
  readonly type: number;
  readonly flags: number;
  readonly seq: number;
  readonly body: Uint8Array;
}

/** The messages in one datagram. Throws NsrunError where a length points outside. */
export function parseMessages(bytes: Uint8Array): Message[] {
  const out: Message[] = [];
  const view = viewOf(bytes);
  for (let at = 0; at < bytes.length; ) {
    const rest = bytes.length - at;
    const length = rest < NLMSG_HDRLEN ? 0 : view.getUint32(at, true);
    if (length < NLMSG_HDRLEN || length > rest) throw new NsrunError(`netlink: malformed message of length ${length}`);
    out.push({
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      seq: view.getUint32(at + 8, true),
      body: bytes.subarray(at + NLMSG_HDRLEN, at + length),
    });
    at += align(length);
  }
  return out;
}

/** What an NLMSG_ERROR or an NLMSG_DONE says. */
export interface Ack {
  /** Positive; 0 is success. */
  readonly errno: number;
  /** NLMSGERR_ATTR_MSG: the kernel's own explanation. */
  readonly extack: string | undefined;
  /** NLMSGERR_ATTR_OFFS: where in the request the offending attribute is. */
  readonly offset: number | undefined;
}

/**
 * Reads NLMSG_ERROR {s32 error, nlmsghdr, the request's body unless NLM_F_CAPPED, extended ack if NLM_F_ACK_TLVS} and
 * NLMSG_DONE {s32 error, extended ack}: a refused dump ends with a DONE that carries the error. Throws NsrunError when malformed.
 */
export function parseAck(message: Message): Ack {
  const { body, flags, type } = message;
  // an NLMSG_DONE without a body is a plain end
  if (type === NLMSG.DONE && body.length === 0) return { errno: 0, extack: undefined, offset: undefined };
  const view = viewOf(body);
  let tlvs = 4;
  if (type === NLMSG.ERROR) {
    tlvs += NLMSG_HDRLEN;
    if (body.length >= tlvs && !(flags & NLM_F.CAPPED)) tlvs = 4 + align(view.getUint32(4, true));
  }
  const hasTlvs = (flags & NLM_F.ACK_TLVS) !== 0;
  if (body.length < (type === NLMSG.ERROR ? 4 + NLMSG_HDRLEN : 4) || (hasTlvs && (tlvs > body.length || tlvs < 4)))
    throw new NsrunError("netlink: malformed acknowledgement");
  const error = view.getInt32(0, true);
  if (error > 0) throw new NsrunError(`netlink: malformed acknowledgement: errno ${-error}`);
  const attrs = parseAttrs(hasTlvs ? body.subarray(tlvs) : new Uint8Array(0));
  // -0 would be a strange errno
  return {
    errno: error === 0 ? 0 : -error,
    extack: readString(attrs, NLMSGERR_ATTR.MSG),
    offset: readU32(attrs, NLMSGERR_ATTR.OFFS),
  };
}

/** Whether `bytes` is one acknowledgement without error or comment of the request `seq`: what nearly every answer is. */
export function isPlainAck(bytes: Uint8Array, length: number, seq: number): boolean {
  if (length !== NLMSG_HDRLEN + 4 + NLMSG_HDRLEN) return false;
  const view = viewOf(bytes);
  return (
    view.getUint32(0, true) === length &&
    view.getUint16(4, true) === NLMSG.ERROR &&
    (view.getUint16(6, true) & NLM_F.ACK_TLVS) === 0 &&
    view.getUint32(8, true) === seq &&
    view.getInt32(NLMSG_HDRLEN, true) === 0
  );
}
