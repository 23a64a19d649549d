import { describe, expect, test } from "bun:test";
import { parseAddressMessage } from "../../src/net/address.ts";
import { attr, attrString, attrU32, concat, nest, parseAttrs, readString, readU32, u16, u32 } from "../../src/net/attrs.ts";
import { parseLink } from "../../src/net/link.ts";
import { encodeMessage, type Message, NLM_F, NLMSG, parseAck, parseMessages } from "../../src/net/message.ts";
import { parseRoute } from "../../src/net/route.ts";

const message = (type: number, flags: number, ...body: Uint8Array[]): Message => ({ type, flags, seq: 1, body: concat(body) });
const header = (length: number): Uint8Array => concat([u32(length), u16(16), u16(5), u32(1), u32(0)]);

describe("attributes", () => {
  test("come back as they went", () => {
    const attrs = parseAttrs(concat([attrString(3, "nsr0"), attrU32(4, 1400), nest(18, attrU32(1, 7))]));
    expect(readString(attrs, 3)).toBe("nsr0");
    expect(readU32(attrs, 4)).toBe(1400);
    expect(readU32(parseAttrs(attrs.get(18) ?? new Uint8Array()), 1)).toBe(7);
  });
  test("the flags NLA_F_NESTED and NLA_F_NET_BYTEORDER are no part of the type", () => {
    expect(readU32(parseAttrs(attrU32(0xc000 | 5, 9)), 5)).toBe(9);
  });
  test("too short for a number is missing; without NUL is still a string", () => {
    expect(readU32(parseAttrs(attr(4, Uint8Array.of(1, 2))), 4)).toBeUndefined();
    expect(readString(parseAttrs(attr(3, Uint8Array.of(97, 98))), 3)).toBe("ab");
  });
  for (const length of [0, 3, 9, 0xffff])
    test(`length ${length} in 8 bytes is refused`, () => {
      expect(() => parseAttrs(concat([u16(length), u16(1), u32(0)]))).toThrow("malformed attribute");
    });
});

describe("messages", () => {
  test("two in one datagram, the first not aligned", () => {
    const one = { label: "", command: "", type: 16, flags: 0, body: Uint8Array.of(1, 2, 3) };
    const parsed = parseMessages(concat([encodeMessage(one, 7), encodeMessage({ ...one, type: 20 }, 8)]));
    expect(parsed.map(({ type, seq, body }) => [type, seq, [...body]])).toEqual([
      [16, 7, [1, 2, 3]],
      [20, 8, [1, 2, 3]],
    ]);
  });
  for (const length of [0, 15, 17, 0xffffffff])
    test(`length ${length} in 16 bytes is refused`, () =>
      expect(() => parseMessages(header(length))).toThrow("malformed message"));
  test("half a header is refused", () => expect(() => parseMessages(new Uint8Array(9))).toThrow("malformed message"));
  test("random bytes are parsed or refused, never more", () => {
    for (let i = 0; i < 3000; i++) {
      const bytes = crypto.getRandomValues(new Uint8Array(i % 90));
      // small lengths, so that some get through
      for (let at = 1; at < bytes.length; at += 4) if (i % 3 === 0) bytes.fill(0, at, at + 3);
      try {
        for (const parsed of parseMessages(bytes)) {
          parseLink(parsed);
          parseAddressMessage(parsed);
          parseRoute(parsed);
          parseAck({ ...parsed, type: NLMSG.ERROR });
        }
      } catch (error) {
        expect(String(error)).toContain("malformed");
      }
    }
  });
});

describe("acknowledgements", () => {
  const request = header(16 + 8);
  const tlvs = concat([attrString(1, "Nexthop has invalid gateway"), attrU32(2, 44)]);
  const refusal = { errno: 22, extack: "Nexthop has invalid gateway", offset: 44 };

  test("success", () => {
    expect(parseAck(message(NLMSG.ERROR, NLM_F.CAPPED, u32(0), request))).toEqual({
      errno: 0,
      extack: undefined,
      offset: undefined,
    });
  });
  test("an error, capped", () => {
    expect(parseAck(message(NLMSG.ERROR, NLM_F.CAPPED | NLM_F.ACK_TLVS, u32(-22), request, tlvs))).toEqual(refusal);
  });
  test("an error with the request's body between", () => {
    expect(parseAck(message(NLMSG.ERROR, NLM_F.ACK_TLVS, u32(-22), request, new Uint8Array(8), tlvs))).toEqual(refusal);
  });
  test("an NLMSG_DONE that carries an error: a refused dump", () => {
    expect(parseAck(message(NLMSG.DONE, NLM_F.ACK_TLVS, u32(-22), tlvs))).toEqual(refusal);
    expect(parseAck(message(NLMSG.DONE, 0, u32(-22))).errno).toBe(22);
  });
  test("a plain NLMSG_DONE, with and without its number", () => {
    expect(parseAck(message(NLMSG.DONE, 0, u32(0))).errno).toBe(0);
    expect(parseAck(message(NLMSG.DONE, 0)).errno).toBe(0);
  });
  const HOSTILE: [string, Message][] = [
    ["empty", message(NLMSG.ERROR, 0)],
    ["without the request's header", message(NLMSG.ERROR, NLM_F.CAPPED, u32(-1))],
    ["DONE of two bytes", message(NLMSG.DONE, 0, u16(0))],
    ["a request longer than the message", message(NLMSG.ERROR, NLM_F.ACK_TLVS, u32(-22), header(4000))],
    ["a request of 4 GB", message(NLMSG.ERROR, NLM_F.ACK_TLVS, u32(-22), header(0xffffffff))],
    ["a positive error", message(NLMSG.ERROR, NLM_F.CAPPED, u32(22), request)],
    ["an attribute that ends outside", message(NLMSG.DONE, NLM_F.ACK_TLVS, u32(-22), u16(99), u16(1))],
  ];
  for (const [name, bad] of HOSTILE) test(`hostile: ${name}`, () => expect(() => parseAck(bad)).toThrow("malformed"));
});
