/** Which paths are hidden: those that there are, and never none because nothing could be seen. */
import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { hiddenPaths } from "../../src/container/hidden.ts";
import { userMounts } from "../../src/container/mounts.ts";
import { namespaceUses } from "../../src/container/namespaces.ts";
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

const root = { euid: 0, egid: 0, admin: true, privileged: true, permits: () => true };
const uses = namespaceUses({}, root);

test("/tmp and /run are a tmpfs each, but where the caller mounts something, keeps the root's by name, or writes in place", () => {
  const scratch = (options: Parameters<typeof hiddenPaths>[0]) => hiddenPaths(options, true, userMounts(options, uses)).scratch;
  expect(scratch({})).toEqual(["/tmp", "/run"]);
  expect(scratch({ volume: ["/etc:/run"], tmpfs: ["/tmp/below"] })).toEqual(["/tmp"]);
  expect(scratch({ unmask: ["/tmp/"] })).toEqual(["/run"]);
  expect(scratch({ rw: true })).toEqual([]);
});

test("the root of somebody else is left alone", () =>
  expect(hiddenPaths({}, false)).toEqual({ maskedPaths: [], readonlyPaths: [], scratch: [] }));

const [RDONLY, NOSUID, NODEV, NOEXEC] = [1, 2, 4, 8]; // linux/mount.h
const INERT = NOSUID | NODEV | NOEXEC;
test.each([
  ["type=mqueue,dst=/x", {}, INERT],
  ["type=devpts,dst=/x", {}, NOSUID | NOEXEC],
  ["type=proc,dst=/x", { unmask: ["all"] }, INERT],
  ["type=sysfs,dst=/x,ro", { unmask: ["all"] }, INERT | RDONLY],
  ["type=cgroup,dst=/x,memory", {}, INERT | RDONLY],
  ["type=cgroup,dst=/x,memory", { unmask: ["all"], userns: "host" }, INERT | RDONLY],
  ["type=cgroup2,dst=/x", {}, INERT],
  ["type=cgroup2,dst=/x", { userns: "host" }, INERT | RDONLY],
  ["type=cgroup2,dst=/x", { share: ["cgroup"] }, INERT | RDONLY],
  ["type=tmpfs,dst=/x", {}, 0],
] as const)("--mount %s with %j", (mount, options, flags) => {
  const whole = { ...(options as object), mount: [mount] };
  expect(userMounts(whole, namespaceUses(whole, root))).toMatchObject([{ flags }]);
});
test.each([
  [
    "type=proc,dst=/x",
    "--mount type=proc,dst=/x: it would show all that is hidden or read-only in /proc: only with --unmask all",
  ],
  [
    "type=sysfs,dst=/x,ro",
    "--mount type=sysfs,dst=/x,ro: it would show all that is hidden or read-only in /sys: only with --unmask all",
  ],
  ["type=cgroup,dst=/x,rw,cpu", "--mount type=cgroup,dst=/x,rw,cpu: a cgroup is always ro here"],
  ["type=mqueue,dst=/x,suid", "--mount type=mqueue,dst=/x,suid: a mqueue is always nosuid here"],
])("--mount %s is refused", (mount, message) => {
  expect(() => userMounts({ mount: [mount] }, uses)).toThrow(new Error(message));
});
