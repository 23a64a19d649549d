import { describe, expect, test } from "bun:test";
import { isIP } from "node:net";
import * as ip from "../../src/net/cidr.ts";

const BAD: [string, string][] = [
  ["10.0.0.300/24", "--ip 10.0.0.300/24: not an address"],
  ["10.0.0/24", "--ip 10.0.0/24: not an address"],
  ["010.0.0.1/24", "--ip 010.0.0.1/24: not an address"],
  ["", "--ip : not an address"],
  ["10.0.0.1/24/8", "--ip 10.0.0.1/24/8: not an address"],
  [" 10.0.0.1/24", "--ip  10.0.0.1/24: not an address"],
  ["10.0.0.1\n/24", "--ip 10.0.0.1\n/24: not an address"],
  ["fd00::1%eth0/64", "--ip fd00::1%eth0/64: not an address"],
  ["fd00:::1/64", "--ip fd00:::1/64: not an address"],
  ["1:2:3:4:5:6:7:8:9/64", "--ip 1:2:3:4:5:6:7:8:9/64: not an address"],
  ["1:2:3:4::5:6:7:8/64", "--ip 1:2:3:4::5:6:7:8/64: not an address"],
  ["10.0.0.1", "--ip 10.0.0.1: prefix length missing, as in 10.0.0.1/24"],
  ["fd00::1", "--ip fd00::1: prefix length missing, as in fd00::1/64"],
  ["10.0.0.1/33", "--ip 10.0.0.1/33: prefix length is not a number from 0 to 32"],
  ["10.0.0.1/", "--ip 10.0.0.1/: prefix length is not a number from 0 to 32"],
  ["10.0.0.1/08", "--ip 10.0.0.1/08: prefix length is not a number from 0 to 32"],
  ["10.0.0.1/-1", "--ip 10.0.0.1/-1: prefix length is not a number from 0 to 32"],
  ["fd00::1/129", "--ip fd00::1/129: prefix length is not a number from 0 to 128"],
];
for (const [text, error] of BAD)
  test(`refuses ${JSON.stringify(text)}`, () => expect(() => ip.parseCidr(text, "--ip")).toThrow(new Error(error)));

// RFC 5952, sections 4 and 5
const FORMS: [string, string][] = [
  ["2001:DB8::0001", "2001:db8::1"],
  ["2001:db8:0:0:0:0:2:1", "2001:db8::2:1"],
  ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
  ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
  ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
  ["0:0:0:0:0:0:0:0", "::"],
  ["1:0:0:0:0:0:0:0", "1::"],
  ["::ffff:192.0.2.1", "::ffff:192.0.2.1"],
  ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
];
for (const [text, canonical] of FORMS)
  test(`${text} is ${canonical}`, () => expect(ip.formatAddress(ip.parseAddress(text))).toBe(canonical));

/** Random addresses with many zero groups, and prefixes. */
function* samples(count: number): Generator<ip.Cidr> {
  for (let i = 0; i < count; i++) {
    const address = crypto.getRandomValues(new Uint8Array(i % 2 ? 4 : 16));
    for (let at = 0; at + 1 < address.length; at += 2) if (Math.random() < 0.5) address.fill(0, at, at + 2);
    yield ip.cidrOf(address, Math.floor(Math.random() * (address.length * 8 + 1)));
  }
}
const number = (bytes: Uint8Array): bigint => BigInt(`0x${bytes.toHex()}`);

describe("for 2000 random networks", () => {
  const list = [...samples(2000)];
  test("text and back is the same; the text is what node and the URL parser make of it", () => {
    for (const cidr of list) {
      expect(ip.parseCidr(cidr.text)).toEqual(cidr);
      expect(ip.formatCidr(cidr)).toBe(cidr.text);
      const [text = ""] = cidr.text.split("/");
      expect(isIP(text)).toBe(cidr.family === ip.AF_INET ? 4 : 6);
      if (cidr.family === ip.AF_INET6 && !text.includes(".")) expect(new URL(`http://[${text}]/`).hostname).toBe(`[${text}]`);
    }
  });
  test("network, last address and membership agree with arithmetic", () => {
    for (const cidr of list) {
      const bits = BigInt(cidr.address.length * 8 - cidr.prefix);
      const first = (number(cidr.address) >> bits) << bits;
      expect(number(ip.networkOf(cidr).address)).toBe(first);
      expect(number(ip.lastOf(cidr))).toBe(first + (1n << bits) - 1n);
      expect(ip.contains(cidr, cidr.address)).toBe(true);
      expect(ip.contains(cidr, ip.lastOf(cidr))).toBe(true);
      if (cidr.prefix > 0) expect(ip.contains(cidr, ip.addressAfter(ip.lastOf(cidr)))).toBe(false);
    }
  });
  test("overlap agrees with arithmetic, both ways round", () => {
    for (const [i, a] of list.entries()) {
      const b = list[(i * 7 + 1) % list.length] ?? a;
      const apart =
        a.family !== b.family ||
        number(ip.lastOf(a)) < number(ip.networkOf(b).address) ||
        number(ip.lastOf(b)) < number(ip.networkOf(a).address);
      expect(ip.overlaps(a, b)).toBe(!apart);
      expect(ip.overlaps(b, a)).toBe(!apart);
    }
  });
  test("the address after", () => {
    for (const { address } of list) {
      const steps = Math.floor(Math.random() * 1000);
      expect(number(ip.addressAfter(address, steps))).toBe(BigInt.asUintN(address.length * 8, number(address) + BigInt(steps)));
    }
  });
});
