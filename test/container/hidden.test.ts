/** Which paths are hidden: those that there are, and never none because nothing could be seen. */
import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { hiddenPaths } from "../../src/container/hidden.ts";
import { userMounts } from "../../src/container/mounts.ts";
import { MASKED, READ_ONLY } from "../../src/security/defaults.ts";

test("all of the policy that this kernel has", () => {
  const { maskedPaths, readonlyPaths } = hiddenPaths({}, true);
  expect(maskedPaths.map(({ path }) => path)).toEqual(MASKED.map(({ path }) => path).filter((path) => existsSync(path)));
  expect(readonlyPaths).toEqual(READ_ONLY.filter((path) => existsSync(path) && path !== "/sys/fs/cgroup"));
});

test("--unmask: all, one, with a slash at its end; /sys alone leaves what is below it read-only", () => {
  expect(hiddenPaths({ unmask: ["all"] }, true)).toEqual({ maskedPaths: [], readonlyPaths: [], scratch: [] });
  const { maskedPaths, readonlyPaths } = hiddenPaths({ unmask: ["/proc/interrupts/", "/sys"] }, true);
  expect(maskedPaths.map(({ path }) => path)).not.toContain("/proc/interrupts");
  expect(maskedPaths.length).toBeGreaterThan(0);
  expect(readonlyPaths).not.toContain("/sys");
  expect(readonlyPaths.includes("/sys/fs/cgroup")).toBe(existsSync("/sys/fs/cgroup"));
  expect(() => hiddenPaths({ unmask: ["/proc/nope"] }, true)).toThrow("--unmask /proc/nope: not among");
});

test("/tmp and /run are a tmpfs each, but where the caller mounts something, keeps the root's by name, or writes in place", () => {
  const scratch = (options: Parameters<typeof hiddenPaths>[0]) => hiddenPaths(options, true, userMounts(options)).scratch;
  expect(scratch({})).toEqual(["/tmp", "/run"]);
  expect(scratch({ volume: ["/etc:/run"], tmpfs: ["/tmp/below"] })).toEqual(["/tmp"]);
  expect(scratch({ unmask: ["/tmp/"] })).toEqual(["/run"]);
  expect(scratch({ rw: true })).toEqual([]);
});

test("the root of somebody else is left alone", () =>
  expect(hiddenPaths({}, false)).toEqual({ maskedPaths: [], readonlyPaths: [], scratch: [] }));
