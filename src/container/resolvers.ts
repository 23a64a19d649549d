/** The container's /etc/resolv.conf, from the host's (resolv.conf(5)). Pure. */
import { AF_INET, familyOf, parseAddress } from "../net/cidr.ts";

export interface Resolvers {
  readonly text: string;
  /** A resolver on the host's loopback: the container asks for it at the uplink's address for names. */
  readonly forwarded: string | undefined;
}

function address(text: string): Uint8Array | undefined {
  try {
    return parseAddress(text);
  } catch {
    return undefined; // with a zone ("fe80::1%eth0"), or no address at all
  }
}

const isLoopback = (bytes: Uint8Array): boolean =>
  familyOf(bytes) === AF_INET ? bytes[0] === 127 || bytes.every((b) => b === 0) : bytes.every((b, i) => b === (i === 15 ? 1 : 0));

/** fe80::/10: has a meaning only on the host's own link. */
const isLinkLocal = (bytes: Uint8Array): boolean =>
  familyOf(bytes) !== AF_INET && bytes[0] === 0xfe && ((bytes[1] ?? 0) & 0xc0) === 0x80;

/** `forward`: the address where the uplink passes questions on. Without a resolver the host asks itself, 127.0.0.1. */
export function containerResolvers(host: string, forward: string): Resolvers {
  const kept: string[] = [];
  const servers: string[] = [];
  let forwarded: string | undefined;
  for (const line of host.split("\n")) {
    const [word = "", value = ""] = line.trim().split(/\s+/);
    if (["search", "domain", "options"].includes(word)) kept.push(line.trim());
    if (word !== "nameserver") continue;
    const bytes = address(value);
    if (!bytes || isLinkLocal(bytes)) continue;
    if (!isLoopback(bytes)) servers.push(value);
    else forwarded ??= familyOf(bytes) === AF_INET && bytes[0] === 127 ? value : "127.0.0.1";
  }
  if (servers.length === 0) forwarded ??= "127.0.0.1";
  const all = forwarded === undefined ? servers : [forward, ...servers];
  return { text: [...kept, ...all.map((server) => `nameserver ${server}`), ""].join("\n"), forwarded };
}
