/** Which paths are hidden: those that there are, and never none because nothing could be seen. */
import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { hiddenPaths } from "../../src/container/hidden.ts";
import { MASKED, READ_ONLY } from "../../src/security/defaults.ts";

test("all of the policy that this kernel has", () => {
  const { maskedPaths, readonlyPaths } = hiddenPaths({}, true);
  expect(maskedPaths.map(({ path }) => path)).toEqual(MASKED.map(({ path }) => path).filter((path) => existsSync(path)));
  expect(readonlyPaths).toEqual(READ_ONLY.filter((path) => existsSync(path) && path !== "/sys/fs/cgroup"));
});

test("--unmask: all, one, with a slash at its end; /sys alone leaves what is below it read-only", () => {
  expect(hiddenPaths({ unmask: ["all"] }, true)).toEqual({ maskedPaths: [], readonlyPaths: [] });
  const { maskedPaths, readonlyPaths } = hiddenPaths({ unmask: ["/proc/interrupts/", "/sys"] }, true);
  expect(maskedPaths.map(({ path }) => path)).not.toContain("/proc/interrupts");
  expect(maskedPaths.length).toBeGreaterThan(0);
  expect(readonlyPaths).not.toContain("/sys");
  expect(readonlyPaths.includes("/sys/fs/cgroup")).toBe(existsSync("/sys/fs/cgroup"));
  expect(() => hiddenPaths({ unmask: ["/proc/nope"] }, true)).toThrow("--unmask /proc/nope: not among");
});

test("the root of somebody else is left alone", () =>
  expect(hiddenPaths({}, false)).toEqual({ maskedPaths: [], readonlyPaths: [] }));
