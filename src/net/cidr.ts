/** IP addresses and prefixes: `10.0.0.2/24`, `fd00::2/64`. RFC 4632, RFC 4291; IPv6 text as in RFC 5952. Pure. */
import { UsageError } from "../errors.ts";

/** socket(2): bits/socket.h */
export const AF_INET = 2;
export const AF_INET6 = 10;
export type Family = typeof AF_INET | typeof AF_INET6;

/** An address with its prefix length. The bits after the prefix are kept: `10.0.0.2/24` is not `10.0.0.0/24`. */
export interface Cidr {
  readonly family: Family;
  /** 4 or 16 bytes, network order. */
  readonly address: Uint8Array;
  /** 0 to 32, or 0 to 128. */
  readonly prefix: number;
  /** As formatted by {@link formatCidr}. */
  readonly text: string;
}

/** Four decimal numbers without leading zeros, which some read as octal. */
function ipv4(text: string): number[] | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part))) return undefined;
  const numbers = parts.map(Number);
  return numbers.every((number) => number <= 255) ? numbers : undefined;
}

/** The bytes of colon-separated groups; the last may be dotted IPv4 when `tail`. */
function groups(text: string, tail: boolean): number[] | undefined {
  if (text === "") return [];
  const out: number[] = [];
  const parts = text.split(":");
  for (const [i, part] of parts.entries()) {
    if (/^[0-9a-f]{1,4}$/i.test(part)) {
      const group = Number.parseInt(part, 16);
      out.push(group >> 8, group & 255);
      continue;
    }
    const dotted = tail && i === parts.length - 1 ? ipv4(part) : undefined;
    if (!dotted) return undefined;
    out.push(...dotted);
  }
  return out;
}

function ipv6(text: string): number[] | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const [left = "", right] = halves;
  const head = groups(left, right === undefined);
  const tail = right === undefined ? [] : groups(right, true);
  if (!head || !tail) return undefined;
  const missing = 16 - head.length - tail.length;
  // "::" stands for at least one group
  if (right === undefined ? missing !== 0 : missing < 2) return undefined;
  return [...head, ...new Array<number>(missing).fill(0), ...tail];
}

const subject = (text: string, option: string | undefined): string => (option ? `${option} ${text}` : JSON.stringify(text));

/** The 4 or 16 bytes of an address. Throws UsageError `--via 10.0.0.300: not an address`; `option` is how the user calls it. */
export function parseAddress(text: string, option?: string): Uint8Array {
  const numbers = text.includes(":") ? ipv6(text) : ipv4(text);
  if (!numbers) throw new UsageError(`${subject(text, option)}: not an address`);
  return Uint8Array.from(numbers);
}

export const familyOf = (address: Uint8Array): Family => (address.length === 4 ? AF_INET : AF_INET6);

/** `ADDRESS/PREFIX`, strictly. Throws UsageError `--ip 10.0.0.300/24: not an address`. */
export function parseCidr(text: string, option?: string): Cidr {
  const [left = "", right, ...more] = text.split("/");
  const numbers = left.includes(":") ? ipv6(left) : ipv4(left);
  if (!numbers || more.length > 0) throw new UsageError(`${subject(text, option)}: not an address`);
  const address = Uint8Array.from(numbers);
  const most = address.length * 8;
  if (right === undefined)
    throw new UsageError(`${subject(text, option)}: prefix length missing, as in ${left}/${most === 32 ? 24 : 64}`);
  if (!/^(?:0|[1-9]\d{0,2})$/.test(right) || Number(right) > most)
    throw new UsageError(`${subject(text, option)}: prefix length is not a number from 0 to ${most}`);
  return cidrOf(address, Number(right));
}

export function cidrOf(address: Uint8Array, prefix: number): Cidr {
  return { family: familyOf(address), address, prefix, text: `${formatAddress(address)}/${prefix}` };
}

/** `10.0.0.1`; for IPv6 lower case, the longest run of two or more zero groups as `::`, IPv4-mapped with dots (RFC 5952). */
export function formatAddress(address: Uint8Array): string {
  if (address.length === 4) return address.join(".");
  const list = Array.from({ length: 8 }, (_, i) => ((address[2 * i] ?? 0) << 8) | (address[2 * i + 1] ?? 0));
  if (list.slice(0, 5).every((group) => group === 0) && list[5] === 0xffff) return `::ffff:${address.subarray(12).join(".")}`;
  let best = { at: -1, length: 1 };
  for (let at = 0; at < 8; at++) {
    let length = 0;
    while (list[at + length] === 0) length++;
    if (length > best.length) best = { at, length };
  }
  const hex = list.map((group) => group.toString(16));
  if (best.at < 0) return hex.join(":");
  return `${hex.slice(0, best.at).join(":")}::${hex.slice(best.at + best.length).join(":")}`;
}

export const formatCidr = (cidr: Cidr): string => `${formatAddress(cidr.address)}/${cidr.prefix}`;

/** The bits after the prefix all 0 or all 1. */
function fill({ address, prefix }: Cidr, ones: boolean): Uint8Array {
  return address.map((byte, i) => {
    const host = 0xff >> Math.min(8, Math.max(0, prefix - 8 * i));
    return ones ? byte | host : byte & ~host;
  });
}

/** The first address: `10.0.0.2/24` gives `10.0.0.0/24`. */
export const networkOf = (cidr: Cidr): Cidr => cidrOf(fill(cidr, false), cidr.prefix);

/** The last address, which IPv4 keeps for broadcast. */
export const lastOf = (cidr: Cidr): Uint8Array => fill(cidr, true);

export const sameAddress = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, i) => byte === b[i]);

/** Is `address` in the network of `cidr`? False for another family. */
export function contains(cidr: Cidr, address: Uint8Array): boolean {
  return address.length === cidr.address.length && sameAddress(fill(cidr, false), fill({ ...cidr, address }, false));
}

/** Do the two networks share an address? Prefixes either nest or are apart. */
export const overlaps = (a: Cidr, b: Cidr): boolean => (a.prefix <= b.prefix ? contains(a, b.address) : contains(b, a.address));

/** The address `steps` after this one; wraps around at the end. */
export function addressAfter(address: Uint8Array, steps = 1): Uint8Array {
  const out = address.slice();
  let carry = steps;
  for (let i = out.length - 1; i >= 0 && carry > 0; i--) {
    carry += out[i] ?? 0;
    out[i] = carry & 255;
    carry >>>= 8;
  }
  return out;
}
