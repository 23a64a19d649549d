/** Our bytes against those of the real `ip`, captured by fixtures/golden/netlink/capture.ts. */
import { expect, test } from "bun:test";
import golden from "../../fixtures/golden/netlink/ip.json" with { type: "json" };
import { addAddress } from "../../src/net/address.ts";
import { parseAttrs, viewOf } from "../../src/net/attrs.ts";
import { parseAddress, parseCidr } from "../../src/net/cidr.ts";
import { removeLink, setLinkAlias, setLinkDown, setLinkUp } from "../../src/net/link.ts";
import { encodeMessage, NLM_F, parseMessages, type Request } from "../../src/net/message.ts";
import { addDefaultRoute } from "../../src/net/route.ts";
import { addVeth } from "../../src/net/veth.ts";

function fromIp(command: string): Uint8Array {
  const hex = golden.messages.find((message) => message.command === command)?.sent.at(-1);
  if (!hex) throw new Error(`not captured: ${command}`);
  return Uint8Array.fromHex(hex);
}
const ours = (request: Request): Uint8Array => encodeMessage(request, 0, NLM_F.ACK);

/** type, flags, family header and attributes, apart. */
function decoded(bytes: Uint8Array, header: number) {
  const [message] = parseMessages(bytes);
  if (!message) throw new Error("no message");
  const attrs = Object.fromEntries([...parseAttrs(message.body.subarray(header))].map(([type, value]) => [type, value.toHex()]));
  return { type: message.type, flags: message.flags, header: message.body.slice(0, header).toHex(), attrs };
}

const EXACT: [string, Request][] = [
  [
    "ip link add nsr0 up type veth peer name eth0 netns NETNS",
    addVeth({ name: "nsr0", up: true, peer: { name: "eth0", netns: 4 } }),
  ],
  [
    "ip link add nsr1 up mtu 1400 type veth peer name eth1 mtu 1400 netns NETNS",
    addVeth({ name: "nsr1", up: true, mtu: 1400, peer: { name: "eth1", netns: 4 } }),
  ],
  ["ip link add nsr2 type veth peer name nsr3", addVeth({ name: "nsr2", peer: { name: "nsr3" } })],
  ["ip addr add 10.0.0.1/24 dev nsr0", addAddress("nsr0", 2, parseCidr("10.0.0.1/24"))],
  ["ip addr add 127.0.0.2/8 dev lo", addAddress("lo", 1, parseCidr("127.0.0.2/8"))],
  ["ip addr add fd00::1/64 dev nsr0 nodad", addAddress("nsr0", 2, parseCidr("fd00::1/64"))],
  ["ip route add default via 10.0.0.2 dev nsr0", addDefaultRoute("nsr0", 2, parseAddress("10.0.0.2"))],
];
for (const [command, request] of EXACT)
  test(`byte for byte: ${command}`, () => {
    expect(ours(request).toHex()).toBe(fromIp(command).toHex());
  });

test("ip -6 route add default: ip sends the destination :: too, which means the same", () => {
  const theirs = decoded(fromIp("ip -6 route add default via fd00::2 dev nsr0"), 12);
  expect(theirs.attrs[1]).toBe("00".repeat(16));
  delete theirs.attrs[1];
  expect(decoded(ours(addDefaultRoute("nsr0", 2, parseAddress("fd00::2"))), 12)).toEqual(theirs);
});

// `ip` looks the index up and sends it; we send IFLA_IFNAME (3) with index 0 and spare the look-up
const BY_NAME: [string, Request, string][] = [
  ["ip link set dev nsr0 alias nsrun:web", setLinkAlias("nsr0", "nsrun:web"), "nsr0"],
  ["ip link set dev nsr2 up", setLinkUp("nsr2"), "nsr2"],
  ["ip link set dev nsr2 down", setLinkDown("nsr2"), "nsr2"],
  ["ip link delete dev nsr2", removeLink("nsr2"), "nsr2"],
];
for (const [command, request, name] of BY_NAME)
  test(`but for the index: ${command}`, () => {
    const theirs = fromIp(command).slice();
    expect(viewOf(theirs).getInt32(20, true)).toBeGreaterThan(0);
    viewOf(theirs).setInt32(20, 0, true);
    const mine = decoded(ours(request), 16);
    expect(mine.attrs[3]).toBe(Buffer.from(`${name}\0`).toString("hex"));
    delete mine.attrs[3];
    expect(mine).toEqual(decoded(theirs, 16));
  });
