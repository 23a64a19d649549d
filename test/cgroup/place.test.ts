/** Where a group is put in v2, with plain files in place of a cgroup file system: the walk up, the switching on, the refusals. */
import { expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Hierarchy } from "../../src/cgroup/index.ts";
import { makePlaces, removePlace } from "../../src/cgroup/place.ts";

/** A hierarchy of root, slice and our own scope; each with what it has and what it gives to its children. */
function tree(has: readonly [string, string, string], gives: readonly [string, string, string]) {
  const top = mkdtempSync(join(tmpdir(), "nsrun-cgroup-"));
  const dirs = [top, `${top}/slice`, `${top}/slice/scope`];
  for (const [i, dir] of dirs.entries()) {
    mkdirSync(dir, { recursive: true });
    writeFileSync(`${dir}/cgroup.controllers`, has[i]!);
    writeFileSync(`${dir}/cgroup.subtree_control`, gives[i]!);
  }
  const own: Hierarchy = { version: 2, top, own: dirs[2]!, controllers: [] };
  return { own, dirs, [Symbol.dispose]: () => rmSync(top, { recursive: true, force: true }) };
}

test("without controllers: below our own cgroup", () => {
  using v2 = tree(["", "", ""], ["", "", ""]);
  expect(makePlaces([v2.own], "nsrun-x", []).map(({ dir }) => dir)).toEqual([`${v2.dirs[2]}/nsrun-x`]);
});

test("the nearest at or above ours that has the controllers; what it does not give yet is switched on, and off at the end", () => {
  using v2 = tree(["cpu memory pids", "memory pids", "memory"], ["memory pids", "memory", ""]);
  const [place] = makePlaces([v2.own], "nsrun-x", ["memory", "pids"]);
  expect(place).toEqual({ version: 2, dir: `${v2.dirs[1]}/nsrun-x`, controllers: ["memory", "pids"], enabled: ["pids"] });
  const control = `${v2.dirs[1]}/cgroup.subtree_control`;
  expect(readFileSync(control, "utf8")).toStartWith("+pids");
  expect(removePlace(place!)).toBe(0);
  expect(readFileSync(control, "utf8")).toStartWith("-pids");
  expect(existsSync(place!.dir)).toBe(false);
});

test("a controller of v1 is used there, and v2 gets a directory too: the first in the list", () => {
  using v2 = tree(["", "", ""], ["", "", ""]);
  using memory = tree(["", "", ""], ["", "", ""]);
  const v1: Hierarchy = { ...memory.own, version: 1, controllers: ["memory"] };
  const places = makePlaces([v1, v2.own], "nsrun-x", ["memory"]);
  expect(places.map(({ version, dir, controllers }) => [version, dir, controllers])).toEqual([
    [2, `${v2.dirs[2]}/nsrun-x`, []],
    [1, `${memory.dirs[2]}/nsrun-x`, ["memory"]],
  ]);
});

test("a controller that nobody has, and one that is there in part, are errors that leave nothing", () => {
  using v2 = tree(["memory", "memory", ""], ["memory", "memory", ""]);
  expect(() => makePlaces([v2.own], "nsrun-x", ["memory", "pids"])).toThrow(
    "no cgroup hierarchy that can be seen here has the pids controller",
  );
  expect(() => makePlaces([], "nsrun-x", [])).toThrow("no cgroup file system is mounted here");
  using blocked = tree(["memory", "", ""], ["memory", "", ""]);
  mkdirSync(`${blocked.dirs[0]}/nsrun-x`); // the only cgroup that has the controller has such a child already
  expect(() => makePlaces([blocked.own], "nsrun-x", ["memory"])).toThrow(
    /^cannot limit memory: .*scope has no memory controller$/,
  );
  expect(v2.dirs.concat(blocked.dirs.slice(1)).some((dir) => existsSync(`${dir}/nsrun-x`))).toBe(false);
});
