/** --publish [ADDR:]HOST:CONTAINER[/tcp|/udp]: read, and asked of the kernel before anything is made. */
import { UsageError } from "../errors.ts";
import { errnoName, errnoText } from "../ffi/errno.ts";
import { readText } from "../ffi/file.ts";
import { bytes, failed, sys } from "../ffi/syscall.ts";
import { familyOf, formatAddress, parseAddress } from "../net/cidr.ts";

export interface Published {
  /** As the user wrote it, for messages. */
  readonly text: string;
  /** undefined: all addresses of the host. */
  readonly address: string | undefined;
  readonly host: number;
  readonly container: number;
  readonly protocol: "tcp" | "udp";
}

const FORM = /^(?:(\[[^\]]+\]|[^:[\]]+):)?([0-9]{1,5}):([0-9]{1,5})(?:\/(tcp|udp))?$/;

export function parsePublish(text: string): Published {
  const option = `--publish ${text}`;
  const [, address, host = "", container = "", protocol] = FORM.exec(text) ?? [];
  if (host === "") throw new UsageError(`${option}: expected [ADDR:]HOST:CONTAINER[/tcp|/udp] with port numbers`);
  for (const port of [host, container])
    if (Number(port) < 1 || Number(port) > 65535) throw new UsageError(`${option}: ${port} is no port (1 to 65535)`);
  const plain = address?.replace(/^\[|\]$/g, "");
  return {
    text,
    address: plain === undefined ? undefined : formatAddress(parseAddress(plain, option)),
    host: Number(host),
    container: Number(container),
    protocol: protocol === "udp" ? "udp" : "tcp",
  };
}

const AF_INET = 2;
const AF_INET6 = 10;
const CLOEXEC = 0x80000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const EACCES = 13;

/** struct sockaddr_in or sockaddr_in6: ip(7), ipv6(7). */
function socketAddress(address: Uint8Array, port: number): Uint8Array {
  const v6 = familyOf(address) === AF_INET6;
  const memory = bytes(v6 ? 28 : 16);
  const view = new DataView(memory.buffer);
  view.setUint16(0, v6 ? AF_INET6 : AF_INET, true);
  view.setUint16(2, port, false);
  memory.set(address, v6 ? 8 : 4);
  return memory;
}

function lowPortHint(port: number): string | undefined {
  const start = readText("/proc/sys/net/ipv4/ip_unprivileged_port_start");
  if (typeof start === "number" || port >= Number(start)) return undefined;
  return `ports below ${start.trim()} need root here: choose a higher one, or sysctl net.ipv4.ip_unprivileged_port_start=${port}`;
}

/** bind(2) and close: whether the port can be had. The program that takes it a moment later would say it less clearly. */
export function checkFree({ text, address, host, protocol }: Published): void {
  const place = parseAddress(address ?? "0.0.0.0", "--publish");
  const fd = sys("socket", familyOf(place) === AF_INET6 ? AF_INET6 : AF_INET, (protocol === "tcp" ? 1 : 2) | CLOEXEC, 0);
  if (fd < 0) throw failed(fd, `--publish ${text}: make a socket`);
  const on = bytes(4).fill(1, 0, 1);
  // as every server does: a closed connection's last minute is not "in use". For UDP it would mean sharing
  if (protocol === "tcp") sys("setsockopt", fd, SOL_SOCKET, SO_REUSEADDR, on, 4);
  const name = socketAddress(place, host);
  const result = sys("bind", fd, name, name.length);
  sys("close", fd);
  if (result === 0) return;
  const errno = -result;
  throw new UsageError(
    `--publish ${text}: cannot listen on ${protocol} port ${host}: ${errnoName(errno)} (${errnoText(errno)})`,
    {
      hint: errno === EACCES ? lowPortHint(host) : undefined,
    },
  );
}

/** All of them; each once, and free. */
export function published(texts: readonly string[]): Published[] {
  const list = texts.map(parsePublish);
  const seen = new Map<string, string>();
  for (const { text, protocol, address, host } of list) {
    const key = `${protocol} ${address} ${host}`;
    const before = seen.get(key);
    if (before !== undefined) throw new UsageError(`--publish ${text}: the host's port is given by --publish ${before} already`);
    seen.set(key, text);
  }
  for (const one of list) checkFree(one);
  return list;
}
