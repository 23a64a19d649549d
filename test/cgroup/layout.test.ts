/** Where our cgroups lie, from the two texts of /proc: each layout that is in use. */
import { expect, test } from "bun:test";
import { hierarchies } from "../../src/cgroup/index.ts";

const mount = (root: string, top: string, type: string, options: string) =>
  `31 23 0:28 ${root} ${top} rw,relatime shared:9 - ${type} cgroup rw,${options}\n`;

test("v2 alone: one hierarchy", () => {
  expect(hierarchies("0::/user.slice/a.scope\n", mount("/", "/sys/fs/cgroup", "cgroup2", "nsdelegate"))).toEqual([
    { version: 2, top: "/sys/fs/cgroup", own: "/sys/fs/cgroup/user.slice/a.scope", controllers: [] },
  ]);
});

test("hybrid: v1 by controller, those mounted together as one, and a v2 beside them", () => {
  const cgroup = "3:cpu,cpuacct:/a\n2:memory:/b/c\n1:name=systemd:/\n0::/\n";
  const mounts =
    mount("/", "/c/cpu", "cgroup", "cpu,cpuacct") +
    mount("/", "/c/memory", "cgroup", "memory") +
    mount("/", "/c/systemd", "cgroup", "xattr,name=systemd") +
    mount("/", "/c/unified", "cgroup2", "nsdelegate");
  expect(hierarchies(cgroup, mounts).map(({ version, own, controllers }) => [version, own, controllers])).toEqual([
    [1, "/c/cpu/a", ["cpu", "cpuacct"]],
    [1, "/c/memory/b/c", ["memory"]],
    [1, "/c/systemd", ["name=systemd"]],
    [2, "/c/unified", []],
  ]);
});

test("a part of a hierarchy, mounted elsewhere: the path is below that part, or cannot be seen", () => {
  const mounts = mount("/docker/1", "/sys/fs/cgroup/memory", "cgroup", "memory");
  expect(hierarchies("2:memory:/docker/1\n", mounts)[0]?.own).toBe("/sys/fs/cgroup/memory");
  expect(hierarchies("2:memory:/docker/1/x\n", mounts)[0]?.own).toBe("/sys/fs/cgroup/memory/x");
  expect(hierarchies("2:memory:/docker/11\n", mounts)).toEqual([]);
  expect(hierarchies("2:memory:/../other\n", mounts)).toEqual([]);
});

test("a mount point with a blank, a controller that is not mounted, no cgroups at all", () => {
  expect(hierarchies("0::/\n", mount("/", "/my\\040cgroup", "cgroup2", "x"))[0]?.top).toBe("/my cgroup");
  expect(hierarchies("2:memory:/\n", mount("/", "/c", "cgroup", "cpu"))).toEqual([]);
  expect(hierarchies("", "")).toEqual([]);
});
