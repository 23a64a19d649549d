import { expect, test } from "bun:test";
import { completePair, type SubnetOptions } from "../../src/net/reserve.ts";

const GOOD: [SubnetOptions, string, string][] = [
  [{ ip: "10.1.2.3/24" }, "10.1.2.1/24", "10.1.2.3/24"],
  [{ ip: "10.1.2.1/24" }, "10.1.2.2/24", "10.1.2.1/24"],
  [{ hostIp: "10.1.2.1/24" }, "10.1.2.1/24", "10.1.2.2/24"],
  [{ hostIp: "10.1.2.9/24" }, "10.1.2.9/24", "10.1.2.1/24"],
  [{ hostIp: "192.168.7.1/30" }, "192.168.7.1/30", "192.168.7.2/30"],
  [{ hostIp: "192.168.7.1/31" }, "192.168.7.1/31", "192.168.7.0/31"],
  [{ ip: "fd00::1/64" }, "fd00::2/64", "fd00::1/64"],
  [{ hostIp: "10.0.0.1/8", ip: "10.255.0.1/8" }, "10.0.0.1/8", "10.255.0.1/8"],
];
for (const [options, host, container] of GOOD)
  test(`${JSON.stringify(options)}`, () => {
    const pair = completePair(options);
    expect([pair.host.text, pair.container.text]).toEqual([host, container]);
  });

const BAD: [SubnetOptions, string][] = [
  [{ hostIp: "10.0.0.0/24" }, "--host-ip 10.0.0.0/24: this is the address of the network itself"],
  [{ ip: "10.0.0.255/24" }, "--ip 10.0.0.255/24: this is the broadcast address"],
  [{ ip: "10.0.0.1/32" }, "--ip 10.0.0.1/32: a /32 has no room for two addresses"],
  [{ hostIp: "10.0.0.1/24", ip: "10.0.0.1/24" }, "--ip 10.0.0.1/24: the same address as --host-ip"],
  [{ hostIp: "10.0.0.1/24", ip: "10.0.1.2/24" }, "--ip 10.0.1.2/24: not in the same subnet as --host-ip 10.0.0.1/24"],
  [{ hostIp: "10.0.0.1/24", ip: "10.0.0.2/16" }, "--ip 10.0.0.2/16: not in the same subnet as --host-ip 10.0.0.1/24"],
  [{ hostIp: "10.0.0.1/24", ip: "fd00::2/64" }, "--ip fd00::2/64: not of the same address family as --host-ip 10.0.0.1/24"],
];
for (const [options, error] of BAD) test(error, () => expect(() => completePair(options)).toThrow(new Error(error)));
