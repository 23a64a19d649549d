/** Addresses that nobody else has: two containers started at once must not get the same subnet. */
import { NsrunError, UsageError } from "../errors.ts";
import { holdName } from "../ffi/abstract.ts";
import type { Fd } from "../ffi/fd.ts";
import { readLink } from "../ffi/file.ts";
import { holdBytes } from "../ffi/locks.ts";
import { openRecord } from "../rootfs/records.ts";
import { listAddresses } from "./address.ts";
import * as ip from "./cidr.ts";
import { listLinks } from "./link.ts";
import { listRoutes } from "./route.ts";
import { NetlinkSocket } from "./socket.ts";

const HOST_OPTION = "--host-ip";
const OPTION = "--ip";

/** A pair of addresses in one subnet, kept from other nsruns until disposed of. By then they should be on a link. */
export interface Subnet extends Disposable {
  readonly host: ip.Cidr;
  readonly container: ip.Cidr;
}

/** What the user asked for, `ADDRESS/PREFIX` each. */
export interface SubnetOptions {
  readonly hostIp?: string | undefined;
  readonly ip?: string | undefined;
}

/**
 * Keeps `network` from other nsruns in this network namespace: by one byte of root's record, at a hash of both; where there is no
 * record, by an abstract name. Undefined when somebody has it.
 */
function hold(network: ip.Cidr): Fd | undefined {
  const doing = `reserve ${network.text}`;
  const record = openRecord("networks");
  if (!record) return holdName(`nsrun/net/${network.text}`, doing);
  const place = Bun.hash.crc32(`${readLink("/proc/thread-self/ns/net")} ${network.text}`);
  if (holdBytes(record.number, "alone", place, 1, doing)) return record;
  record.close();
  return undefined;
}

const subnet = (host: ip.Cidr, container: ip.Cidr, fd: Fd): Subnet => ({ host, container, [Symbol.dispose]: () => fd.close() });

/** A network in use here, and the ifindex of its link. */
interface Taken {
  readonly cidr: ip.Cidr;
  readonly index: number | undefined;
}

/** Of all addresses and all connected routes. */
function taken(socket: NetlinkSocket): Taken[] {
  const routes = listRoutes(socket).filter(({ connected, destination }) => connected && destination.prefix > 0);
  return [...listAddresses(socket), ...routes.map(({ destination, index }) => ({ cidr: destination, index }))];
}

/** The first free one of 10.0.0.0/24 to 10.0.255.0/24. */
function findFree(socket: NetlinkSocket): Subnet {
  let used = taken(socket);
  for (let n = 0; n <= 255; n++) {
    const network = ip.cidrOf(Uint8Array.of(10, 0, n, 0), 24);
    if (used.some(({ cidr }) => ip.overlaps(network, cidr))) continue;
    const fd = hold(network);
    if (!fd) continue;
    // Its last holder may have set it up since we looked.
    used = taken(socket);
    if (used.some(({ cidr }) => ip.overlaps(network, cidr))) fd.close();
    else return subnet(ip.cidrOf(Uint8Array.of(10, 0, n, 1), 24), ip.cidrOf(Uint8Array.of(10, 0, n, 2), 24), fd);
  }
  throw new NsrunError("no free subnet between 10.0.0.0/24 and 10.0.255.0/24", {
    hint: `choose addresses with ${HOST_OPTION} and ${OPTION}`,
  });
}

/** May a host have this address? Not the network's own, not the broadcast address; in /31 and /127 both may (RFC 3021, 6164). */
function checkUsable(cidr: ip.Cidr, option: string): void {
  const most = cidr.address.length * 8;
  if (cidr.prefix === most) throw new UsageError(`${option} ${cidr.text}: a /${most} has no room for two addresses`);
  if (cidr.prefix === most - 1) return;
  if (ip.sameAddress(cidr.address, ip.networkOf(cidr).address))
    throw new UsageError(`${option} ${cidr.text}: this is the address of the network itself`);
  if (cidr.family === ip.AF_INET && ip.sameAddress(cidr.address, ip.lastOf(cidr)))
    throw new UsageError(`${option} ${cidr.text}: this is the broadcast address`);
}

/** The first usable address of the subnet that differs. */
function neighbour(cidr: ip.Cidr): ip.Cidr {
  const first = ip.networkOf(cidr).address;
  const start = cidr.prefix === cidr.address.length * 8 - 1 ? first : ip.addressAfter(first);
  return ip.cidrOf(ip.sameAddress(start, cidr.address) ? ip.addressAfter(start) : start, cidr.prefix);
}

/** The pair that the user's one or two addresses mean. Throws UsageError. Pure. */
export function completePair(options: SubnetOptions): { host: ip.Cidr; container: ip.Cidr } {
  const given = options.hostIp === undefined ? undefined : ip.parseCidr(options.hostIp, HOST_OPTION);
  const wanted = options.ip === undefined ? undefined : ip.parseCidr(options.ip, OPTION);
  if (given) checkUsable(given, HOST_OPTION);
  if (wanted) checkUsable(wanted, OPTION);
  const host = given ?? (wanted && neighbour(wanted));
  const container = wanted ?? (given && neighbour(given));
  if (!host || !container) throw new TypeError("neither address is given");
  const side = `${OPTION} ${container.text}`;
  if (host.family !== container.family)
    throw new UsageError(`${side}: not of the same address family as ${HOST_OPTION} ${host.text}`);
  if (host.prefix !== container.prefix || !ip.contains(host, container.address))
    throw new UsageError(`${side}: not in the same subnet as ${HOST_OPTION} ${host.text}`);
  if (ip.sameAddress(host.address, container.address)) throw new UsageError(`${side}: the same address as ${HOST_OPTION}`);
  return { host, container };
}

/**
 * Refuses what would give a dead network: an address that is here already, or a subnet. Of two routes to one network the kernel
 * takes the narrower, and of equal ones the first; a wider one leaves ours alone. Throws UsageError.
 */
function checkUnused(socket: NetlinkSocket, mine: string, { host, container }: { host: ip.Cidr; container: ip.Cidr }): void {
  const used = taken(socket);
  const on = (index: number | undefined): string =>
    listLinks(socket).find((link) => link.index === index)?.name ?? `link ${index}`;
  for (const { cidr, index } of used) {
    const same = [host, container].find(({ address }) => ip.sameAddress(address, cidr.address));
    const option = same === host ? HOST_OPTION : OPTION;
    if (same) throw new UsageError(`${option} ${same.text}: address already in use on ${on(index)}`);
  }
  const other = used.find(({ cidr }) => cidr.prefix >= host.prefix && ip.overlaps(cidr, host));
  if (other) throw new UsageError(`${mine}: ${ip.networkOf(other.cidr).text} is already on ${on(other.index)}`);
}

/**
 * Two addresses in the current network namespace. Default 10.0.0.1/24 for the host and 10.0.0.2/24 for the container, or the
 * next 10.0.N.0/24 that is free. Throws UsageError for addresses that cannot be, or are in use.
 */
export function reserveSubnet(options: SubnetOptions = {}): Subnet {
  const automatic = options.hostIp === undefined && options.ip === undefined;
  const pair = automatic ? undefined : completePair(options);
  using socket = NetlinkSocket.open();
  if (!pair) return findFree(socket);
  const { host, container } = pair;
  const mine = options.hostIp === undefined ? `${OPTION} ${container.text}` : `${HOST_OPTION} ${host.text}`;
  const network = ip.networkOf(host);
  const fd = hold(network);
  if (!fd) throw new UsageError(`${mine}: ${network.text} is in use by another container`);
  try {
    checkUnused(socket, mine, pair);
  } catch (error) {
    fd.close();
    throw error;
  }
  return subnet(host, container, fd);
}
