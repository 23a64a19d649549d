/** The table of probes: what can be known of it without trying anything. */
import { expect, test } from "bun:test";
import { PROBES } from "../../src/doctor/doctor.ts";
import { appArmorProfile } from "../../src/doctor/knobs.ts";
import { AREAS } from "../../src/doctor/probe.ts";

const all = AREAS.flatMap((area) => PROBES[area]);
const hosts = [0, 1000].map((euid) => ({ euid, egid: euid, admin: euid === 0, privileged: euid === 0 }));

test("names are unique, fit their column, and each says what is lost", () => {
  const names = all.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  expect(names.filter((name) => name.length > 30)).toEqual([]);
  expect(all.filter(({ lost }) => lost === "")).toEqual([]);
});

test("what a probe needs is probed, and nothing needs itself by a detour", () => {
  const byName = new Map(all.map((probe) => [probe.name, probe]));
  for (const host of hosts) {
    const needsOf = (name: string): readonly string[] => {
      const needs = byName.get(name)?.needs ?? [];
      return typeof needs === "function" ? needs(host) : needs;
    };
    for (const { name } of all) {
      const reached = new Set<string>();
      const open = [...needsOf(name)];
      for (let next = open.pop(); next !== undefined; next = open.pop()) {
        expect(byName.has(next)).toBe(true);
        if (!reached.has(next)) open.push(...needsOf(next));
        reached.add(next);
      }
      expect(reached.has(name)).toBe(false);
    }
  }
});

test("remedies are one line, whatever was found", () => {
  const findings = ["", "EPERM", "EACCES", "ENOENT", "ENODEV", "EINVAL", "ENOSYS", "EOPNOTSUPP", "ENOSPC"].map((code) => ({
    works: false,
    detail: `step: ${code}`,
    code,
  }));
  for (const host of hosts)
    for (const { remedy } of all)
      for (const finding of findings) {
        const text = typeof remedy === "function" ? remedy(finding, host) : remedy;
        expect(text ?? "").not.toContain("\n");
      }
});

test("AppArmor's profile names the program and the one rule that it lacks", () => {
  const command = appArmorProfile("/opt/my tools/nsrun");
  expect(command).toContain('profile nsrun "/opt/my tools/nsrun" flags=(unconfined) {\\n  userns,\\n}');
  expect(command).toMatch(/\| sudo tee \/etc\/apparmor\.d\/nsrun && sudo apparmor_parser -r \/etc\/apparmor\.d\/nsrun$/);
});
