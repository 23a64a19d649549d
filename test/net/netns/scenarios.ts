/** Run by test/live/net.test.ts as `unshare -n bun scenarios.ts NAME`: alone in a fresh network namespace, with `ip` as witness. */
import assert from "node:assert/strict";
import { openSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { NetlinkError, UsageError } from "../../../src/errors.ts";
import { holdName } from "../../../src/ffi/abstract.ts";
import { sys } from "../../../src/ffi/syscall.ts";
import * as net from "../../../src/net/index.ts";
import { RTM } from "../../../src/net/message.ts";
import { inNetns } from "../../../src/net/netns.ts";

const own = (): string => readlinkSync("/proc/thread-self/ns/net");

/** No descriptor is left by `body`. Bun opens and closes a few of its own meanwhile; a leak would be a hundred. */
function leakless(body: () => void): void {
  const count = (): number => readdirSync("/proc/self/fd").length;
  const before = count();
  for (let i = 0; i < 100; i++) body();
  assert(count() < before + 50);
}

function output(...command: string[]): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync(command);
  assert.equal(exitCode, 0, `${command.join(" ")}: ${stderr}`);
  return stdout.toString();
}
/** What `ip -j` shows, of links, addresses and routes alike. */
interface Shown {
  readonly ifindex?: number;
  readonly ifname?: string;
  readonly ifalias?: string;
  readonly mtu?: number;
  readonly address?: string;
  readonly flags?: string[];
  readonly linkinfo?: { readonly info_kind?: string };
  readonly addr_info?: Shown[];
  readonly local?: string;
  readonly prefixlen?: number;
  readonly broadcast?: string;
  readonly nodad?: boolean;
  readonly tentative?: boolean;
  readonly dst?: string;
  readonly gateway?: string;
  readonly dev?: string;
}
const shown = (...command: string[]): Shown[] => JSON.parse(output(...command)) as Shown[];

/** A child in a network namespace of its own; it ends with its standard input, thus with us. */
async function otherNetns() {
  const child = Bun.spawn(["unshare", "-n", "sh", "-c", "echo ready; exec cat"], { stdin: "pipe", stdout: "pipe" });
  await child.stdout.getReader().read();
  const path = `/proc/${child.pid}/ns/net`;
  const fd = openSync(path, "r");
  return { fd, within: ["nsenter", `--net=${path}`] };
}

function perform(socket: net.NetlinkSocket, ...verbs: net.NetVerb[]): void {
  for (const verb of verbs) socket.run(net.toRequests(socket, verb));
}

function caught(body: () => void): NetlinkError {
  try {
    body();
  } catch (error) {
    assert(error instanceof NetlinkError, String(error));
    return error;
  }
  throw new assert.AssertionError({ message: "nothing was thrown" });
}

const scenarios: Record<string, () => Promise<void> | void> = {
  /** The container's network as nsrun makes it, and bytes through it over both families at once. */
  async pair() {
    const other = await otherNetns();
    {
      using host = net.NetlinkSocket.open();
      using inside = net.NetlinkSocket.openIn(other.fd);
      const alias = net.ifalias("é".repeat(124));
      const peer = { name: "eth0", netns: other.fd };
      perform(
        host,
        { verb: "link add veth", name: "nsr0", up: true, mtu: 1400, alias, peer },
        { verb: "address add", dev: "nsr0", cidr: "10.0.0.1/24" },
        { verb: "address add", dev: "nsr0", cidr: "fd00::1/64" },
      );
      perform(
        inside,
        { verb: "address add", dev: "eth0", cidr: "10.0.0.2/24" },
        { verb: "link set up", dev: "eth0" },
        { verb: "address add", dev: "eth0", cidr: "fd00::2/64" },
        { verb: "route add default", dev: "eth0", via: "10.0.0.1" },
        { verb: "route add default", dev: "eth0", via: "fd00::1" },
      );
      const [link] = shown("ip", "-d", "-j", "address", "show", "dev", "nsr0");
      assert.equal(link?.ifalias, alias);
      assert.equal(link?.mtu, 1400);
      assert.equal(link?.linkinfo?.info_kind, "veth");
      assert(link?.flags?.includes("UP"));
      const [peerLink] = shown(...other.within, "ip", "-j", "address", "show", "dev", "eth0");
      assert.equal(peerLink?.mtu, 1400);
      const addresses = peerLink?.addr_info ?? [];
      const v4 = addresses.find(({ local }) => local === "10.0.0.2");
      assert.equal(v4?.prefixlen, 24);
      assert.equal(v4?.broadcast, undefined);
      const v6 = addresses.find(({ local }) => local === "fd00::2");
      assert.equal(v6?.nodad, true);
      assert.equal(v6?.tentative, undefined);
      for (const [family, gateway] of [
        ["-4", "10.0.0.1"],
        ["-6", "fd00::1"],
      ] as const) {
        const [route] = shown(...other.within, "ip", "-j", family, "route", "show", "default");
        assert.deepEqual([route?.dst, route?.gateway, route?.dev], ["default", gateway, "eth0"]);
        using server = Bun.listen({ hostname: gateway, port: 0, socket: { data() {}, open: (peer) => void peer.end("hello") } });
        const client = Bun.spawn([...other.within, "bash", "-c", `cat < /dev/tcp/${gateway}/${server.port}`], { stdout: "pipe" });
        assert.equal(await client.stdout.text(), "hello");
      }
      assert.equal(net.findLink(host, "nsr0").alias, alias);
      perform(host, { verb: "link set down", dev: "nsr0" });
      assert.equal(net.findLink(host, "nsr0").up, false);
      perform(host, { verb: "link delete", dev: "nsr0" });
      assert.equal(shown("ip", "-j", "link").length, 1);
      assert.equal(shown(...other.within, "ip", "-j", "link").length, 1);
    }
  },

  /** What a user reads when the kernel refuses. */
  errors() {
    using socket = net.NetlinkSocket.open();
    const pair: net.NetVerb = { verb: "link add veth", name: "nsr0", up: true, peer: { name: "eth0" } };
    perform(socket, pair, { verb: "address add", dev: "nsr0", cidr: "10.0.0.1/24" });
    const message = (verb: net.NetVerb): string => caught(() => perform(socket, verb)).message;
    assert.equal(message(pair), "create veth pair nsr0 and eth0: EEXIST (an interface nsr0 exists already here, or eth0 there)");
    assert.match(
      message({ verb: "address add", dev: "nsr0", cidr: "10.0.0.1/24" }),
      /^add address 10\.0\.0\.1\/24 to nsr0: EEXIST \(.*already/,
    );
    assert.equal(message({ verb: "link set up", dev: "none" }), "set none up: ENODEV (there is no interface none)");
    assert.equal(
      message({ verb: "address add", dev: "none", cidr: "10.0.0.9/24" }),
      "find none: ENODEV (there is no interface none)",
    );
    const gateway = caught(() => perform(socket, { verb: "route add default", dev: "nsr0", via: "192.0.2.1" }));
    assert.equal(gateway.extack, "Nexthop has invalid gateway");
    assert.equal(
      gateway.message,
      "add default route via 192.0.2.1: ENETUNREACH (network is unreachable: Nexthop has invalid gateway)",
    );
    perform(socket, { verb: "route add default", dev: "nsr0", via: "10.0.0.2" });
    assert.equal(
      message({ verb: "route add default", dev: "nsr0", via: "10.0.0.2" }),
      "add default route via 10.0.0.2: EEXIST (a default route exists already)",
    );
    assert.equal(caught(() => perform(socket, { verb: "link set alias", dev: "nsr0", alias: "a".repeat(256) })).code, "ERANGE");
    assert.throws(() => net.NetlinkSocket.openIn(0), /enter network namespace: E/);
    assert.equal(net.findLink(socket, "nsr0").name, "nsr0", "the socket still works after all these");
  },

  /** Hundreds of requests in one call: the right one is blamed, the rest of its send was tried, later sends were not. */
  batch() {
    using socket = net.NetlinkSocket.open();
    const aliases = (count: number): net.Request[] => Array.from({ length: count }, (_, i) => net.setLinkAlias("lo", `try ${i}`));
    socket.run([]);
    socket.run(aliases(1000));
    assert.equal(shown("ip", "-j", "link", "show", "lo")[0]?.ifalias, "try 999");
    const requests = [...aliases(250), net.setLinkUp("none"), net.setLinkUp("gone"), ...aliases(350)];
    assert.equal(caught(() => socket.run(requests)).message, "set none up: ENODEV (there is no interface none)");
    assert.equal(shown("ip", "-j", "link", "show", "lo")[0]?.ifalias, "try 147");
    assert.match(caught(() => socket.run(Array.from({ length: 200 }, () => net.setLinkUp("none")))).message, /^set none up/);
    assert.equal(net.findLink(socket, "lo").index, 1);
  },

  /** Dumps of many parts, compared with those of `ip`; and one that the kernel refuses. */
  lists() {
    using socket = net.NetlinkSocket.open();
    const count = 60;
    for (let i = 0; i < count; i++) {
      socket.run([
        net.addVeth({ name: `nsr${i}`, up: true, peer: { name: `eth${i}` } }),
        net.setLinkAlias(`nsr${i}`, `nsrun:${i}`),
      ]);
      perform(socket, { verb: "address add", dev: `nsr${i}`, cidr: `10.1.${i}.1/24` });
    }
    perform(socket, { verb: "link set up", dev: "lo" }, { verb: "address add", dev: "lo", cidr: "fd00::1/64" });
    const links = net.listLinks(socket).map((l) => [l.index, l.name, l.mtu, l.alias, l.mac, l.kind, l.up]);
    const theirs = shown("ip", "-d", "-j", "link").map((l) => [
      ...[l.ifindex, l.ifname, l.mtu, l.ifalias, l.address, l.linkinfo?.info_kind],
      l.flags?.includes("UP"),
    ]);
    assert.equal(links.length, 2 * count + 1);
    assert.deepEqual(links, theirs);
    const addresses = net.listAddresses(socket).map(({ index, cidr }) => `${index} ${cidr.text}`);
    const shownAddresses = shown("ip", "-j", "address").flatMap((l) =>
      (l.addr_info ?? []).map((a) => `${l.ifindex} ${a.local}/${a.prefixlen}`),
    );
    // the link-local addresses of links that come up meanwhile are left out
    const settled = (list: string[]): string[] => list.filter((line) => !line.includes(" fe80:")).sort();
    assert.deepEqual(settled(addresses), settled(shownAddresses));
    assert(settled(addresses).length >= count + 3);
    const routes = net.listRoutes(socket).filter(({ family, table }) => family === net.AF_INET && table === 254);
    assert.deepEqual(
      routes.map(({ destination }) => destination.text).sort(),
      shown("ip", "-4", "-j", "route")
        .map(({ dst }) => dst)
        .sort(),
    );
    assert(routes.every(({ connected, scope }) => connected && scope === 253));
    // ifinfomsg with an index: "Filter by device index not supported", carried by NLMSG_DONE
    const body = new Uint8Array(16);
    body[4] = 1;
    const refused = caught(() => socket.dump({ label: "list links of lo", command: "", type: RTM.GETLINK, flags: 0, body }));
    assert.equal(refused.code, "EINVAL");
    assert.match(refused.extack ?? "", /Filter by device index not supported/);
    assert.equal(net.findLink(socket, "lo").index, 1, "the socket still works");
  },

  /** A socket of another namespace, from this thread and back. */
  async elsewhere() {
    const other = await otherNetns();
    const home = own();
    {
      using inside = net.NetlinkSocket.openIn(other.fd);
      assert.equal(own(), home);
      perform(inside, { verb: "link add veth", name: "a", peer: { name: "b" } });
      assert.deepEqual(
        net
          .listLinks(inside)
          .map(({ name }) => name)
          .sort(),
        ["a", "b", "lo"],
      );
      assert.equal(shown(...other.within, "ip", "-j", "link").length, 3);
      assert.equal(shown("ip", "-j", "link").length, 1);
    }
    leakless(() => {
      net.NetlinkSocket.openIn(other.fd)[Symbol.dispose]();
      const thrown = new Error("inside");
      const body = (): never => {
        assert.notEqual(own(), home);
        throw thrown;
      };
      assert.throws(() => inNetns(other.fd, body), thrown);
      assert.throws(() => inNetns(0, body), /enter network namespace/);
      assert.equal(own(), home);
    });
  },

  /** No way back: the process ends at once with 125. */
  async lost() {
    const other = await otherNetns();
    const home = own();
    try {
      inNetns(other.fd, () => {
        for (const name of readdirSync("/proc/self/fd")) {
          let target = "";
          try {
            target = readlinkSync(`/proc/self/fd/${name}`);
          } catch {
            // the directory's own descriptor
          }
          if (target === home) sys("close", Number(name));
        }
      });
    } catch {
      console.log("caught");
    }
    console.log("went on");
  },

  async reserve() {
    const error = (options: net.SubnetOptions): string => {
      try {
        net.reserveSubnet(options)[Symbol.dispose]();
      } catch (thrown) {
        assert(thrown instanceof UsageError, String(thrown));
        return thrown.message;
      }
      return "";
    };
    const take = (): string => {
      using subnet = net.reserveSubnet();
      return `${subnet.host.text} ${subnet.container.text}`;
    };
    assert.equal(take(), "10.0.0.1/24 10.0.0.2/24");
    assert.equal(take(), "10.0.0.1/24 10.0.0.2/24", "given back");
    {
      using first = net.reserveSubnet();
      using second = net.reserveSubnet();
      assert.deepEqual([first.host.text, second.host.text], ["10.0.0.1/24", "10.0.1.1/24"]);
      assert.equal(error({ hostIp: "10.0.1.9/24" }), "--host-ip 10.0.1.9/24: 10.0.1.0/24 is in use by another container");
    }
    // root has a record of his own: what others do with the names of sockets is nothing to him
    if (process.getuid?.() === 0 && readFileSync("/proc/self/uid_map", "utf8").includes("4294967295")) {
      using squatter = holdName("nsrun/net/10.0.0.0/24", "take a name");
      assert(squatter);
      assert.equal(take(), "10.0.0.1/24 10.0.0.2/24", "squatted");
    }
    // another network namespace may have the same
    {
      using _here = net.reserveSubnet();
      const { fd } = await otherNetns();
      assert.equal(inNetns(fd, take), "10.0.0.1/24 10.0.0.2/24");
    }
    // another process, which is killed
    const holder = Bun.spawn([process.execPath, import.meta.path, "hold"], { stdin: "pipe", stdout: "pipe" });
    const held = new TextDecoder().decode((await holder.stdout.getReader().read()).value);
    assert.equal(held, "10.0.0.1/24\n");
    assert.equal(take(), "10.0.1.1/24 10.0.1.2/24");
    holder.kill("SIGKILL");
    await holder.exited;
    assert.equal(take(), "10.0.0.1/24 10.0.0.2/24");
    // twenty at once
    const many = Array.from({ length: 20 }, () =>
      Bun.spawn([process.execPath, import.meta.path, "hold"], { stdin: "pipe", stdout: "pipe" }),
    );
    const subnets = await Promise.all(many.map(async ({ stdout }) => String((await stdout.getReader().read()).value)));
    assert.equal(new Set(subnets).size, 20);
    for (const child of many) child.kill("SIGKILL");
    await Promise.all(many.map(({ exited }) => exited));
    // addresses and connected routes in use; a route through a gateway is not
    output("ip", "link", "add", "nsr0", "up", "type", "veth", "peer", "name", "eth0");
    output("ip", "address", "add", "10.0.0.77/25", "dev", "nsr0");
    output("ip", "route", "add", "10.0.1.64/26", "dev", "nsr0");
    output("ip", "route", "add", "10.0.2.0/24", "via", "10.0.0.78");
    assert.equal(take(), "10.0.2.1/24 10.0.2.2/24");
    assert.equal(error({ hostIp: "10.0.0.77/24" }), "--host-ip 10.0.0.77/24: address already in use on nsr0");
    assert.equal(error({ hostIp: "10.0.0.1/24", ip: "10.0.0.77/24" }), "--ip 10.0.0.77/24: address already in use on nsr0");
    // a subnet that is on another link, whole or in part, by an address or a route; a wider one leaves ours alone
    assert.equal(error({ hostIp: "10.0.0.5/25" }), "--host-ip 10.0.0.5/25: 10.0.0.0/25 is already on nsr0");
    assert.equal(error({ ip: "10.0.0.200/24" }), "--ip 10.0.0.200/24: 10.0.0.0/25 is already on nsr0");
    assert.equal(error({ hostIp: "10.0.1.1/24" }), "--host-ip 10.0.1.1/24: 10.0.1.64/26 is already on nsr0");
    assert.equal(error({ hostIp: "10.0.0.9/28" }), "");
    assert.equal(error({ hostIp: "10.7.0.1/24" }), "");
    assert.equal(error({ ip: "fd00::5/64" }), "");
    output("ip", "address", "add", "10.9.9.9/8", "dev", "nsr0");
    assert.throws(() => net.reserveSubnet(), /^NsrunError: no free subnet between 10\.0\.0\.0\/24 and 10\.0\.255\.0\/24$/);
    leakless(() => {
      error({ hostIp: "10.0.0.77/24" });
      error({ hostIp: "10.7.0.1/24" });
      assert.throws(() => net.reserveSubnet());
    });
  },

  /** For `reserve`: holds a subnet until killed, or until standard input ends. */
  async hold() {
    using subnet = net.reserveSubnet();
    console.log(subnet.host.text);
    await Bun.stdin.text();
  },
};

const scenario = scenarios[process.argv[2] ?? ""];
if (!scenario) throw new Error(`no such scenario: ${process.argv[2]}`);
await scenario();
process.exit(0);
