/**
 * Netlink attributes, netlink(7), linux/netlink.h: u16 length (header included, padding not), u16 type, payload, padding to 4.
 * Everything is little-endian, as x86_64 and aarch64 are. Pure.
 */
import { NsrunError } from "../errors.ts";

const HEADER = 4;
/** The two highest bits of a type are NLA_F_NESTED and NLA_F_NET_BYTEORDER. */
const TYPE_MASK = 0x3fff;

/** NLA_ALIGN, NLMSG_ALIGN: the next multiple of 4. */
export const align = (length: number): number => (length + 3) & ~3;

/** The pieces in one array. */
export function concat(pieces: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    out.set(piece, at);
    at += piece.length;
  }
  return out;
}

/** Little-endian bytes of a number. */
export const u16 = (value: number): Uint8Array => Uint8Array.of(value, value >>> 8);
export const u32 = (value: number): Uint8Array => Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24);

/** One attribute, padded. */
export function attr(type: number, payload: Uint8Array): Uint8Array {
  const out = new Uint8Array(align(HEADER + payload.length));
  out.set(u16(HEADER + payload.length), 0);
  out.set(u16(type), 2);
  out.set(payload, HEADER);
  return out;
}

export const attrU32 = (type: number, value: number): Uint8Array => attr(type, u32(value));

/** A string without its NUL, as for IFLA_IFALIAS and IFLA_INFO_KIND in `ip`. */
export const attrText = (type: number, text: string): Uint8Array => attr(type, new TextEncoder().encode(text));

/** A string with its NUL, as for IFLA_IFNAME in `ip`. */
export const attrString = (type: number, text: string): Uint8Array => attrText(type, `${text}\0`);

/** An attribute made of attributes. Like `ip`, without NLA_F_NESTED, which rtnetlink does not ask for. */
export const nest = (type: number, ...children: Uint8Array[]): Uint8Array => attr(type, concat(children));

/** Attributes by type, the flag bits removed; of two with the same type the last one counts. */
export type Attrs = ReadonlyMap<number, Uint8Array>;

/** The attributes in `bytes`. Throws NsrunError where a length points outside. */
export function parseAttrs(bytes: Uint8Array): Attrs {
  const out = new Map<number, Uint8Array>();
  const view = viewOf(bytes);
  for (let at = 0; at + HEADER <= bytes.length; ) {
    const length = view.getUint16(at, true);
    if (length < HEADER || at + length > bytes.length) throw new NsrunError(`netlink: malformed attribute of length ${length}`);
    out.set(view.getUint16(at + 2, true) & TYPE_MASK, bytes.subarray(at + HEADER, at + length));
    at += align(length);
  }
  return out;
}

export const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** A u32 attribute; undefined where it is missing or too short. */
export function readU32(attrs: Attrs, type: number): number | undefined {
  const payload = attrs.get(type);
  return payload && payload.length >= 4 ? viewOf(payload).getUint32(0, true) : undefined;
}

/** A string attribute, up to its NUL; undefined where it is missing. */
export function readString(attrs: Attrs, type: number): string | undefined {
  const payload = attrs.get(type);
  if (!payload) return undefined;
  const end = payload.indexOf(0);
  return new TextDecoder().decode(end < 0 ? payload : payload.subarray(0, end));
}
