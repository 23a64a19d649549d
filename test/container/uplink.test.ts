/** --net pasta, the pure part: ports read, resolvers chosen, the program's arguments. */
import { expect, test } from "bun:test";
import { parsePublish } from "../../src/container/publish.ts";
import { containerResolvers } from "../../src/container/resolvers.ts";
import { callOf, type UplinkWishes } from "../../src/container/uplink-program.ts";

const port = (text: string) => {
  const { address, host, container, protocol } = parsePublish(text);
  return [address, host, container, protocol];
};

test("a published port has an address or none, two numbers, a protocol or TCP", () => {
  expect(port("8080:80")).toEqual([undefined, 8080, 80, "tcp"]);
  expect(port("53:53/udp")).toEqual([undefined, 53, 53, "udp"]);
  expect(port("127.0.0.1:1:65535/tcp")).toEqual(["127.0.0.1", 1, 65535, "tcp"]);
  expect(port("[FD00::1]:8080:80")).toEqual(["fd00::1", 8080, 80, "tcp"]);
});

test("anything else is refused with the text that was given", () => {
  const bad = [
    "",
    "80",
    ":80",
    "80:",
    "0:80",
    "80:0",
    "65536:1",
    "x:y",
    "1:2:3:4",
    "-1:80",
    "80:80/",
    "80:80/icmp",
    " 80:80",
    "1e1:80",
  ];
  for (const text of [...bad, "fd00::1:80:80", "[fd00::1:80:80", "300.0.0.1:80:80", "80:80\n"])
    expect(() => parsePublish(text)).toThrow(`--publish ${text}`);
});

test("the host's resolvers are the container's, but for those on its loopback", () => {
  const one = containerResolvers("nameserver 192.0.2.1\nsearch a b\noptions ndots:1\nnameserver fd00::1\n", "10.0.2.3");
  expect(one).toEqual({ text: "search a b\noptions ndots:1\nnameserver 192.0.2.1\nnameserver fd00::1\n", forwarded: false });
  for (const local of ["127.0.0.53", "127.0.0.1", "::1", "0.0.0.0"])
    expect(containerResolvers(`#\nnameserver ${local}\nnameserver 192.0.2.1`, "10.0.2.3")).toEqual({
      text: "nameserver 10.0.2.3\nnameserver 192.0.2.1\n",
      forwarded: true,
    });
});

test("without a usable resolver the container asks the host", () => {
  for (const text of ["", "nameserver\n", "nameserver fe80::1%eth0\nnameserver fe80::2", "nameserver x"])
    expect(containerResolvers(text, "10.0.2.3")).toEqual({ text: "nameserver 10.0.2.3\n", forwarded: true });
});

const wishes: UplinkWishes = {
  ifname: "eth0",
  ports: ["8080:80", "192.0.2.7:81:82", "53:53/udp"].map(parsePublish),
  forwarded: true,
  admin: false,
  root: false,
};

test("pasta is given the ports, and nothing of the host's loopback", () => {
  const { args, hands, control } = callOf("pasta", wishes);
  const text = args.join(" ");
  expect(text).toContain("-t 8080:80 -t 192.0.2.7/81:82 -u 53:53 -T none -U none");
  expect(text).toContain("--no-map-gw --dns-forward 10.0.2.3");
  expect(text).toEndWith("--userns /proc/self/fd/0/ns/user --netns /proc/self/fd/0/ns/net");
  expect([hands, control]).toEqual(["process", undefined]);
  const root = callOf("pasta", { ...wishes, ports: [], forwarded: false, admin: true, root: true });
  expect(root.args.join(" ")).toMatch(/-t none -u none .*--runas 0 .*--netns-only --netns \/proc\/self\/fd\/0$/);
  expect([root.hands, root.args.includes("--dns-forward")]).toEqual(["net", false]);
});

test("slirp4netns is asked for ports over a socket, and has one only then", () => {
  const { args, control } = callOf("slirp4netns", wishes);
  expect(control?.requests.map((text) => JSON.parse(text).arguments)).toEqual([
    { proto: "tcp", host_addr: "0.0.0.0", host_port: 8080, guest_addr: "10.0.2.100", guest_port: 80 },
    { proto: "tcp", host_addr: "192.0.2.7", host_port: 81, guest_addr: "10.0.2.100", guest_port: 82 },
    { proto: "udp", host_addr: "0.0.0.0", host_port: 53, guest_addr: "10.0.2.100", guest_port: 53 },
  ]);
  expect(args).toContain(`--api-socket=${control?.path}`);
  expect(args).toContain("--disable-host-loopback");
  expect(callOf("slirp4netns", { ...wishes, ports: [] }).control).toBeUndefined();
  expect(() => callOf("slirp4netns", { ...wishes, ports: [parsePublish("[::1]:80:80")] })).toThrow("IPv4 addresses only");
});
