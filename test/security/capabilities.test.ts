/** --cap-add and --cap-drop. */
import { expect, test } from "bun:test";
import { CAPABILITIES } from "../../src/ffi/flags.ts";
import { capabilitySets } from "../../src/security/capabilities.ts";
import { DEFAULT_CAPABILITIES } from "../../src/security/defaults.ts";

const sets = (capAdd: string[], capDrop: string[], available = (_: string) => true) =>
  capabilitySets({ capAdd, capDrop }, available);
const inOrder = (names: string[]) => CAPABILITIES.filter((name) => names.includes(name));

test("the numbers are linux/capability.h's", () => {
  expect([CAPABILITIES.length, CAPABILITIES.indexOf("CAP_KILL"), CAPABILITIES.indexOf("CAP_SYS_ADMIN")]).toEqual([41, 5, 21]);
  expect([CAPABILITIES[0], CAPABILITIES[31], CAPABILITIES[32], CAPABILITIES[40]]).toEqual(
    ["CHOWN", "SETFCAP", "MAC_OVERRIDE", "CHECKPOINT_RESTORE"].map((name) => `CAP_${name}`),
  );
  expect(inOrder(DEFAULT_CAPABILITIES).length).toBe(8);
});

test("names with and without CAP_, in either case, by commas, more than once", () => {
  const bounding = inOrder([...DEFAULT_CAPABILITIES, "CAP_NET_RAW", "CAP_SYS_ADMIN", "CAP_MKNOD"]);
  expect(sets(["net_raw,CAP_SYS_ADMIN", "Cap_Mknod"], [])).toEqual({
    bounding,
    added: ["CAP_NET_RAW", "CAP_SYS_ADMIN", "CAP_MKNOD"],
  });
  expect(sets([], ["chown,KILL"]).bounding).toEqual(inOrder(DEFAULT_CAPABILITIES.filter((c) => !/CHOWN|KILL/.test(c))));
});

test("all: everything, nothing, nothing but, everything but; what the caller has not is no part of all", () => {
  expect(sets([], ["all"])).toEqual({ bounding: [], added: [] });
  expect(sets(["ALL"], [])).toEqual({ bounding: CAPABILITIES, added: CAPABILITIES });
  expect(sets(["net_raw"], ["all"])).toEqual({ bounding: ["CAP_NET_RAW"], added: ["CAP_NET_RAW"] });
  expect(sets(["all"], ["sys_admin"]).bounding).toEqual(CAPABILITIES.filter((name) => name !== "CAP_SYS_ADMIN"));
  expect(sets(["all"], [], (name) => name !== "CAP_BPF").bounding).toEqual(CAPABILITIES.filter((name) => name !== "CAP_BPF"));
});

test("mistakes", () => {
  expect(() => sets(["net_rwa"], [])).toThrow("--cap-add net_rwa: unknown capability");
  expect(() => sets([""], [])).toThrow("--cap-add : unknown capability");
  expect(() => sets([], ["toString"])).toThrow("--cap-drop toString: unknown capability");
  expect(() => sets(["net_raw"], ["CAP_NET_RAW"])).toThrow("--cap-add and --cap-drop both name cap_net_raw");
  expect(() => sets(["all"], ["all"])).toThrow("--cap-add and --cap-drop both name all");
  expect(() => sets(["sys_resource"], [], (name) => name !== "CAP_SYS_RESOURCE")).toThrow("you do not have it yourself");
  try {
    sets(["net_rwa"], []);
  } catch (error) {
    expect((error as { hint?: string }).hint).toBe("did you mean net_raw?");
  }
});
