/** Links, queues and translation, in a network namespace that nobody else sees; and the programs that carry packets without root. */
import { NetlinkError } from "../errors.ts";
import { Fd } from "../ffi/fd.ts";
import { AT_FDCWD, CLONE, O } from "../ffi/flags.ts";
import { setLinkUp } from "../net/link.ts";
import type { Request } from "../net/message.ts";
import { NetlinkSocket } from "../net/socket.ts";
import { addVeth } from "../net/veth.ts";
import { begin, call, finish, give, keep } from "./child.ts";
import { addKind, addNetem } from "./links.ts";
import { type Attempt, asRoot, enter, type Finding, findingOf, inChild, type Probe } from "./probe.ts";
import { type Program, programProbe } from "./programs.ts";

/** Asks a socket that a child opened in a network namespace of its own: the namespace lives as long as the socket. */
const talk =
  (requests: readonly Request[]): Probe["attempt"] =>
  (host) => {
    const child = begin([
      ...enter(host, CLONE.CLONE_NEWNET),
      call("open an rtnetlink socket", "socket", [16, 3, 0], { store: true }),
      keep(),
      give(),
    ]);
    return () => {
      const ended = finish(child);
      if (ended.given === undefined) return findingOf(ended);
      using fd = new Fd(ended.given);
      return asked(fd, requests);
    };
  };

function asked(fd: Fd, requests: readonly Request[]): Finding {
  try {
    new NetlinkSocket(fd).run(requests);
    return { works: true };
  } catch (error) {
    if (error instanceof NetlinkError) return { works: false, detail: error.message, code: error.code };
    throw error;
  }
}

const TUNSETIFF = 0x400454ca;
const IFF_TUN_NO_PI = 0x1001;

function ifreq(name: string, flags: number): Uint8Array {
  const request = new Uint8Array(40);
  request.set(Buffer.from(name));
  new DataView(request.buffer).setUint16(16, flags, true);
  return request;
}

/** A container with pasta, as `--net pasta` makes it. */
function pasta(): Attempt {
  const trial = import("./whole.ts").then(({ wholeContainer }) => wholeContainer({ net: "pasta" }));
  return () => trial;
}

const NAT: readonly Program[] = [
  {
    name: "nft",
    args: ["add table ip t; add chain ip t c { type nat hook postrouting priority 100; }; add rule ip t c masquerade"],
  },
  { name: "iptables", args: ["-t", "nat", "-A", "POSTROUTING", "-j", "MASQUERADE"] },
];

const needs = ["net namespace"];
const modprobe =
  (module: string): NonNullable<Probe["remedy"]> =>
  ({ code }) =>
    code === "EOPNOTSUPP" || code === "ENOENT" || code === "ENODEV" ? asRoot(`modprobe ${module}`) : undefined;

export const networkProbes: readonly Probe[] = [
  { name: "loopback", lost: "127.0.0.1 inside", main: true, needs, attempt: talk([setLinkUp("lo")]) },
  {
    name: "veth",
    lost: "--net veth and bare nsrun as root",
    needs,
    attempt: talk([addVeth({ name: "a", up: true, peer: { name: "b" } })]),
    remedy: modprobe("veth"),
  },
  { name: "bridge", lost: "switches in labs", needs, attempt: talk([addKind("br", "bridge")]), remedy: modprobe("bridge") },
  { name: "netem", lost: "delay, jitter and loss in labs", needs, attempt: talk([addNetem]), remedy: modprobe("sch_netem") },
  {
    name: "NAT (nft, iptables)",
    lost: "the host's network for veth pairs",
    needs,
    attempt: programProbe(NAT, (host) => enter(host, CLONE.CLONE_NEWNET)),
    remedy: ({ detail = "" }) =>
      asRoot(detail.includes("installed") ? "apt-get install nftables" : "modprobe -a nf_tables nft_chain_nat nft_masq"),
    slow: true,
  },
  {
    name: "tun",
    lost: "--net pasta",
    needs,
    attempt: (host) =>
      inChild([
        ...enter(host, CLONE.CLONE_NEWNET),
        call("open /dev/net/tun", "openat", [AT_FDCWD, "/dev/net/tun", O.O_RDWR | O.O_CLOEXEC, 0], { store: true }),
        call("make a tun device", "ioctl", [
          { reg: true },
          TUNSETIFF,
          { bytes: ifreq("t", IFF_TUN_NO_PI), text: "{t, IFF_TUN}" },
        ]),
      ]),
    remedy: ({ code }) => asRoot(code === "EACCES" || code === "EPERM" ? "chmod 0666 /dev/net/tun" : "modprobe tun"),
  },
  {
    name: "pasta",
    lost: "--net pasta: the host's network without root",
    needs: [...needs, "tun"],
    attempt: pasta,
    remedy: ({ detail = "" }) => (detail.includes("installed") ? asRoot("apt-get install passt") : undefined),
    slow: true,
  },
];
