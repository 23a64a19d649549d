/** The container's /etc/resolv.conf, from the host's (resolv.conf(5)). Pure. */
import { AF_INET, familyOf, parseAddress } from "../net/cidr.ts";

export interface Resolvers {
  readonly text: string;
  /** A resolver of the host is on its loopback: the container asks at the uplink's address for names. */
  readonly forwarded: boolean;
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

/** `forward`: the address where the uplink passes questions on to the host's resolver. */
export function containerResolvers(host: string, forward: string): Resolvers {
  const kept: string[] = [];
  const servers: string[] = [];
  let forwarded = false;
  for (const line of host.split("\n")) {
    const [word = "", value = ""] = line.trim().split(/\s+/);
    if (["search", "domain", "options"].includes(word)) kept.push(line.trim());
    if (word !== "nameserver") continue;
    const bytes = address(value);
    if (!bytes || isLinkLocal(bytes)) continue;
    if (!isLoopback(bytes)) servers.push(value);
    else forwarded = true;
  }
  if (servers.length === 0) forwarded = true; // without a resolver the host asks itself
  const all = forwarded ? [forward, ...servers] : servers;
  return { text: [...kept, ...all.map((server) => `nameserver ${server}`), ""].join("\n"), forwarded };
}
