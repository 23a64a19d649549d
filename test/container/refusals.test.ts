/** Which knob is named, on made-up /proc trees: most machines have none of them turned. */
import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { appArmorHint, cloneHint, maskedPaths, procHint } from "../../src/container/refusals.ts";
import { CLONE } from "../../src/ffi/flags.ts";

const place = mkdtempSync(join(tmpdir(), "nsrun-test-"));
afterAll(() => rmSync(place, { recursive: true }));

let trees = 0;
/** A directory with these files; namespaces of all kinds unless `without`. */
function proc(files: Record<string, string>, without: string[] = []): string {
  const root = join(place, String(++trees));
  mkdirSync(join(root, "self/ns"), { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  for (const ns of ["user", "pid", "net", "mnt", "uts", "ipc", "cgroup", "time"])
    if (!without.includes(ns)) symlinkSync(`${ns}:[1]`, join(root, "self/ns", ns));
  return root;
}

const { CLONE_NEWUSER, CLONE_NEWNET, CLONE_NEWPID } = CLONE;
const LIMITS = {
  "sys/user/max_user_namespaces": "9\n",
  "sys/user/max_net_namespaces": "5\n",
  "sys/user/max_pid_namespaces": "0\n",
};

test("a limit of 0 is named with its remedy, if such a namespace was asked for; else the lowest", () => {
  expect(cloneHint(CLONE_NEWUSER | CLONE_NEWPID, "ENOSPC", proc(LIMITS))).toMatch(
    /^user.max_pid_namespaces is 0 here.*sysctl user.max_pid/,
  );
  expect(cloneHint(CLONE_NEWUSER | CLONE_NEWNET, "ENOSPC", proc(LIMITS))).toMatch(/the lowest is user.max_net_namespaces=5/);
  expect(cloneHint(CLONE_NEWUSER, "EUSERS", proc({}))).toMatch(/limit of namespaces is reached.*max_\*_namespaces/);
});

test("Debian's knob, Ubuntu's knob, a seccomp filter, nothing to be seen", () => {
  const apparmor = { "sys/kernel/apparmor_restrict_unprivileged_userns": "1\n" };
  const debian = { ...apparmor, "sys/kernel/unprivileged_userns_clone": "0\n" };
  expect(cloneHint(CLONE_NEWUSER, "EPERM", proc(debian))).toMatch(
    /^kernel.unprivileged_userns_clone is 0.*sysctl kernel.unprivileged_userns_clone=1$/,
  );
  expect(cloneHint(CLONE_NEWUSER, "EACCES", proc(apparmor))).toMatch(/sysctl kernel.apparmor_restrict_unprivileged_userns=0/);
  expect(cloneHint(CLONE_NEWUSER, "EPERM", proc({ "self/status": "Name:\tx\nSeccomp:\t2\n" }))).toMatch(/seccomp=unconfined/);
  expect(cloneHint(CLONE_NEWUSER, "EPERM", proc({ "self/status": "Name:\tx\nSeccomp:\t0\n" }))).toMatch(/chroot/);
  expect(cloneHint(CLONE_NEWNET, "EPERM", proc(debian))).toMatch(/--unshare user/);
});

test("AppArmor's knob is named for what fails after the clone, when it is on", () => {
  const knob = (value: string) => proc({ "sys/kernel/apparmor_restrict_unprivileged_userns": value });
  expect([appArmorHint(knob("0\n")), appArmorHint(proc({}))]).toEqual([undefined, undefined]);
  expect(appArmorHint(knob("1\n"))).toMatch(/apparmor_restrict_unprivileged_userns is 1/);
});

test("a kernel without a kind of namespace", () => {
  expect(cloneHint(CLONE_NEWUSER | CLONE_NEWPID, "EINVAL", proc({}, ["user"]))).toMatch(/no user namespaces/);
  expect(cloneHint(CLONE_NEWUSER, "EINVAL", proc({}))).toBeUndefined();
  expect(cloneHint(CLONE_NEWUSER, "ENOMEM", proc({}))).toBeUndefined();
});

const line = (target: string) => `100 90 0:5 / ${target} rw,nosuid - tmpfs tmpfs rw`;

test("masked parts of /proc are named, six at most; binfmt_misc hides nothing", () => {
  const six = ["acpi", "kcore", "keys", "timer_list", "sys", "bus"].map((name) => line(`/proc/${name}`));
  const text = [line("/proc"), line("/process"), line("/proc/sys/fs/binfmt_misc"), ...six, line("/proc/kcore")].join("\n");
  expect(maskedPaths(text)).toEqual(["/proc/acpi", "/proc/bus", "/proc/kcore", "/proc/keys", "/proc/sys", "/proc/timer_list"]);
  expect(procHint(proc({ "self/mountinfo": [text, line("/proc/x\\040y")].join("\n") }))).toMatch(
    /\(\/proc\/acpi \/proc\/bus \/proc\/kcore \/proc\/keys \/proc\/sys \/proc\/timer_list and 1 more\).*--share pid$/,
  );
  expect(maskedPaths(line("/proc/x\\040y"))).toEqual(["/proc/x y"]);
  expect(procHint(proc({}))).toMatch(/whole, writable \/proc/);
});
