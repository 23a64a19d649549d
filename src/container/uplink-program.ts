/** pasta(1) or slirp4netns(1): which one is there, and how it is called. */
import { NsrunError, UsageError } from "../errors.ts";
import { AT_FDCWD } from "../ffi/flags.ts";
import { sys } from "../ffi/syscall.ts";
import type { UplinkSpec } from "../plan/spec.ts";
import type { Published } from "./publish.ts";

/** What both are told to use inside: slirp4netns's own numbers. The host's own addresses stay free to be reached. */
const ADDRESS = "10.0.2.100";
const GATEWAY = "10.0.2.2";
export const FORWARD = "10.0.2.3";

const NAMES = ["pasta", "slirp4netns"] as const;
type Name = (typeof NAMES)[number];

const X_OK = 1;
const AT_EACCESS = 0x200;

/** The first of the two in PATH. A relative entry is no place for a program that is started beside a sandbox. */
export function findProgram(path = process.env.PATH ?? "/usr/bin:/bin"): { name: Name; path: string } {
  const directories = path.split(":").filter((directory) => directory.startsWith("/"));
  for (const name of NAMES) {
    for (const directory of directories) {
      const place = `${directory}/${name}`;
      if (sys("faccessat2", AT_FDCWD, place, X_OK, AT_EACCESS) === 0) return { name, path: place };
    }
  }
  throw new NsrunError("--net pasta: neither pasta nor slirp4netns is installed", {
    hint: "Debian's packages are passt and slirp4netns: apt-get install passt",
  });
}

export interface UplinkWishes {
  readonly ifname: string;
  readonly ports: readonly Published[];
  /** The container asks for names at FORWARD: the host's resolver is on its loopback. */
  readonly forwarded: boolean;
  /** May enter the container's network namespace from here; without it, through the container's user namespace. */
  readonly admin: boolean;
  /** Root of the initial user namespace, which pasta would leave for nobody, and then be nobody to the namespace. */
  readonly root: boolean;
}

type Called = Pick<UplinkSpec, "args" | "hands" | "control">;

/** `pasta -f --config-net -a 10.0.2.100 -g 10.0.2.2 -t ADDR/HOST:CONTAINER … --userns … --netns …` */
function pastaArgs({ ifname, ports, forwarded, admin, root }: UplinkWishes): Called {
  const forward = (option: string, protocol: Published["protocol"]): string[] => {
    const mine = ports.filter((port) => port.protocol === protocol);
    if (mine.length === 0) return [option, "none"];
    return mine.flatMap((p) => [option, `${p.address === undefined ? "" : `${p.address}/`}${p.host}:${p.container}`]);
  };
  const namespaces = admin
    ? ["--netns-only", "--netns", "/proc/self/fd/0"]
    : ["--userns", "/proc/self/fd/0/ns/user", "--netns", "/proc/self/fd/0/ns/net"];
  const args = [
    "pasta",
    "--foreground", // a child to be ended, not a daemon
    "--quiet",
    ...["--pid", "/proc/self/fd/1"], // written when all is configured: the ready byte
    "--config-net",
    ...["--ns-ifname", ifname, "--address", ADDRESS, "--netmask", "255.255.255.0", "--gateway", GATEWAY],
    "--no-map-gw", // the gateway's address must not lead to the host's loopback
    // to the first resolver that pasta reads in resolv.conf itself: named by --dns, 2023's version asks nobody
    ...(forwarded ? ["--dns-forward", FORWARD] : []),
    ...forward("-t", "tcp"),
    ...forward("-u", "udp"),
    ...["-T", "none", "-U", "none"], // nothing of the host's loopback appears on the container's
    ...(root ? ["--runas", "0"] : []), // nobody could not enter the namespace; it drops its capabilities all the same
    "--no-netns-quit",
    ...namespaces,
  ];
  return { args, hands: admin ? "net" : "process", control: undefined };
}

/** slirp4netns's control socket takes one JSON request a connection. */
function request(port: Published): string {
  if (port.address?.includes(":"))
    throw new UsageError(`--publish ${port.text}: slirp4netns listens on IPv4 addresses only`, {
      hint: "pasta (Debian: passt) can",
    });
  const { protocol, host, container, address = "0.0.0.0" } = port;
  const place = { proto: protocol, host_addr: address, host_port: host, guest_addr: ADDRESS, guest_port: container };
  return JSON.stringify({ execute: "add_hostfwd", arguments: place });
}

/** A name that nobody can guess, in the user's own directory for such things where there is one. */
function controlPath(): string {
  const directory = process.env.XDG_RUNTIME_DIR?.startsWith("/") ? process.env.XDG_RUNTIME_DIR : "/tmp";
  return `${directory}/nsrun-${crypto.randomUUID()}.sock`;
}

/** `slirp4netns --configure --mtu=65520 --disable-host-loopback --ready-fd=1 … eth0` */
function slirpArgs({ ifname, ports, admin, root }: UplinkWishes): Called {
  const control = ports.length > 0 ? { path: controlPath(), requests: ports.map(request) } : undefined;
  const args = [
    "slirp4netns",
    "--configure",
    "--mtu=65520",
    "--disable-host-loopback",
    "--enable-seccomp",
    ...(root ? ["--enable-sandbox"] : []), // for others it fails: "setegid(0)"
    "--ready-fd=1",
    ...(control ? [`--api-socket=${control.path}`] : []),
    "--netns-type=path",
    ...(admin ? ["/proc/self/fd/0"] : ["--userns-path=/proc/self/fd/0/ns/user", "/proc/self/fd/0/ns/net"]),
    ifname,
  ];
  return { args, hands: admin ? "net" : "process", control };
}

export const callOf = (name: Name, wishes: UplinkWishes): Called => (name === "pasta" ? pastaArgs(wishes) : slirpArgs(wishes));
