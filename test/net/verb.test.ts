import { expect, test } from "bun:test";
import { describe, type NetVerb, toRequests } from "../../src/net/verb.ts";

const COMMANDS: [NetVerb, string][] = [
  [
    { verb: "link add veth", name: "nsr0", alias: "nsrun:web", up: true, mtu: 1400, peer: { name: "eth0", netns: 9 } },
    "ip link add name nsr0 up mtu 1400 type veth peer name eth0 mtu 1400 netns /proc/self/fd/9 && ip link set dev nsr0 alias nsrun:web",
  ],
  [{ verb: "link add veth", name: "a", peer: { name: "b" } }, "ip link add name a type veth peer name b"],
  [{ verb: "link set alias", dev: "a", alias: "it's $(x)" }, "ip link set dev a alias 'it'\\''s $(x)'"],
  [{ verb: "link set up", dev: "eth0" }, "ip link set dev eth0 up"],
  [{ verb: "link set down", dev: "eth0" }, "ip link set dev eth0 down"],
  [{ verb: "link delete", dev: "eth0" }, "ip link delete dev eth0"],
  [{ verb: "address add", dev: "eth0", cidr: "10.0.0.2/24" }, "ip address add 10.0.0.2/24 dev eth0"],
  [{ verb: "address add", dev: "eth0", cidr: "FD00::2/64" }, "ip address add fd00::2/64 dev eth0 nodad"],
  [{ verb: "route add default", dev: "eth0", via: "10.0.0.1" }, "ip route add default via 10.0.0.1 dev eth0"],
  [{ verb: "route add default", dev: "eth0", via: "fd00::1" }, "ip -6 route add default via fd00::1 dev eth0"],
];
for (const [verb, command] of COMMANDS)
  test(command, () => {
    expect(describe(verb)).toBe(command);
    expect(describe(JSON.parse(JSON.stringify(verb)) as NetVerb)).toBe(command);
  });

test("a path to paste in place of the descriptor", () => {
  const text = describe({ verb: "link add veth", name: "a", peer: { name: "b", netns: 9 } }, "/proc/$pid/ns/net");
  expect(text).toBe("ip link add name a type veth peer name b netns /proc/$pid/ns/net");
});

test("only addresses and routes need a look-up", () => {
  const refuse = {
    indexOf(): never {
      throw new Error("asked");
    },
  };
  for (const [verb] of COMMANDS) {
    const asks = verb.verb === "address add" || verb.verb === "route add default";
    if (asks) expect(() => toRequests(refuse, verb)).toThrow("asked");
    else expect(toRequests(refuse, verb).length).toBeGreaterThan(0);
  }
});
