/** The order in which a command gives up what it had, for every kind of container. */
import { expect, test } from "bun:test";
import { buildPlan } from "../../src/plan/build.ts";
import { buildJoin } from "../../src/plan/join.ts";
import { renderStep } from "../../src/plan/render.ts";
import type { ContainerSpec, ProcessSpec } from "../../src/plan/spec.ts";
import type { Plan } from "../../src/plan/step.ts";
import { rootless, spec } from "./spec.ts";

const base = spec().process;
const ambient = { ...base.capabilities, ambient: ["CAP_NET_RAW"] };
const PROCESSES: Record<string, Partial<ProcessSpec>> = {
  default: {},
  "no init": { init: false },
  "another user": { uid: 33, gid: 33 },
  "another user with a capability": { uid: 33, gid: 33, capabilities: ambient },
  "new privileges": { noNewPrivileges: false },
  "new privileges, another user": { noNewPrivileges: false, uid: 33, gid: 33, capabilities: ambient },
};

/** The container's and the payload's steps as text. */
const lines = (plan: Plan): string[] =>
  plan.child.filter(({ lane }) => lane === "container" || lane === "payload").map((step) => renderStep(step));
const at = (text: readonly string[], pattern: RegExp): number => text.findIndex((line) => pattern.test(line));
const last = (text: readonly string[], pattern: RegExp): number => text.findLastIndex((line) => pattern.test(line));

const plans = Object.entries(PROCESSES).flatMap(([name, changes]): [string, ProcessSpec, string[]][] => {
  const process = { ...base, ...changes };
  const own = (make: (changes: Partial<ContainerSpec>) => ContainerSpec) => lines(buildPlan(make({ process })));
  return [
    [`${name}, as root`, process, own(spec)],
    [`${name}, rootless`, process, own((more) => rootless({ ...more, process: { ...process, setgroups: false } }))],
    [`${name}, joining`, process, lines(buildJoin(spec({ process }), { ...process, init: false }))],
  ];
});

test.each(plans)("%s: bounding set, ids, capabilities, keyring, descriptors, no_new_privs, filter, exec", (_, process, text) => {
  const order = [
    at(text, /PR_CAPBSET_DROP/),
    last(text, /^payload +setresuid/),
    at(text, /^payload +capset/),
    at(text, /^payload +keyctl/),
    at(text, /^payload +close_range/),
    at(text, /^payload +openat2.*change to/),
    ...(process.noNewPrivileges ? [at(text, /^payload +prctl\(PR_SET_NO_NEW_PRIVS, 1/)] : []),
    at(text, /^payload +seccomp\(SECCOMP_SET_MODE_FILTER/),
    at(text, /^payload +execve/),
  ];
  expect(order).toEqual([...order].sort((a, b) => a - b));
  expect(order[0]).toBeGreaterThanOrEqual(0);
  const between = text.slice(at(text, /^payload +seccomp/) + 1, at(text, /^payload +execve/));
  // nothing but the last capset and the question whether it is there may come between, since the filter forbids much
  expect(between.pop()).toContain("prctl(PR_GET_SECCOMP)");
  expect(between.map((line) => /^payload +(\w+)/.exec(line)?.[1])).toEqual(process.noNewPrivileges ? [] : ["capset"]);
});

test.each(plans)("%s: not to be traced from before the bounding set to the exec", (_, __, text) => {
  expect(last(text.slice(0, at(text, /PR_CAPBSET_DROP/)), /prctl\(PR_SET_DUMPABLE, SUID_DUMP_DISABLE\)/)).toBeGreaterThanOrEqual(
    0,
  );
  expect(at(text, /^payload +prctl\(PR_SET_DUMPABLE, SUID_DUMP_DISABLE\)/)).toBe(last(text, /^payload +setresuid/) + 1);
  expect(text.filter((line) => /^payload +prctl\(PR_SET_DUMPABLE, SUID_DUMP_USER\)/.test(line))).toEqual([]);
});

test("capabilities survive the change of user only where they must, and end in what was asked for", () => {
  const of = (name: string) => plans.find(([title]) => title === `${name}, as root`)![2];
  expect(at(of("another user"), /prctl\(PR_SET_KEEPCAPS, 1\)/)).toBe(-1);
  for (const name of ["another user with a capability", "new privileges, another user"]) {
    const text = of(name);
    expect(at(text, /^payload +prctl\(PR_SET_KEEPCAPS, 1\)/)).toBe(at(text, /^payload +(setgroups|setresgid)/) - 1);
    expect(at(text, /^payload +prctl\(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0\)/)).toBeGreaterThan(
      at(text, /^payload +capset/),
    );
    const sets = text.filter((line) => /^payload +capset/.test(line));
    expect(sets.at(-1)).toContain("{effective=1<<CAP_NET_RAW, permitted=1<<CAP_NET_RAW, inheritable=1<<CAP_NET_RAW}");
  }
  expect(of("new privileges").filter((line) => /^payload +capset/.test(line))[0]).toContain(
    "permitted=1<<CAP_CHOWN|1<<CAP_KILL|1<<CAP_SYS_ADMIN,",
  );
});

test("pid 1 gives everything up before it may be looked at again, and before it says that it is ready", () => {
  const text = lines(buildPlan(spec({ process: { ...base, args: [] } })));
  const order = [
    /^container +capset.*permitted=1<<CAP_KILL, inh/,
    /^container +prctl\(PR_SET_NO_NEW_PRIVS/,
    /^container +seccomp/,
    /^container +prctl\(PR_SET_DUMPABLE, SUID_DUMP_USER\)/,
    /^container +sendto/,
    /rt_sigtimedwait/,
  ];
  const places = order.map((pattern) => at(text, pattern));
  expect(places).toEqual([...places].sort((a, b) => a - b));
  expect(places[0]).toBeGreaterThan(0);
});

test("what is switched off is not there", () => {
  const off = { noNewPrivileges: false, newKeyring: false, seccomp: undefined };
  const text = lines(buildPlan(spec({ maskedPaths: [], readonlyPaths: [], process: { ...base, ...off } })));
  expect(text.filter((line) => /seccomp|keyctl|prctl\(PR_SET_NO_NEW_PRIVS|hide|read-only/.test(line))).toEqual([]);
});
