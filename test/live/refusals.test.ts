/** User namespaces that are refused for real: by a limit, by a masked /proc. One line, the knob and the remedy, and no hanging. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { NSRUN, shell, skipReason, type Temporary, temporary, works } from "./helpers.ts";

const reason = skipReason("refused namespaces", [[works("unshare", "-Urm", "true"), "no user namespaces here"]]);
let dir: Temporary;
beforeAll(() => {
  dir = temporary();
  mkdirSync(dir.file("cache"), { mode: 0o700 });
});
afterAll(() => dir[Symbol.dispose]());

/** As the filter of an outer container: clone(2) with CLONE_NEWUSER is EPERM. seccomp(2), linux/bpf_common.h; prctl, clone. */
const [PRCTL, CLONE] = process.arch === "arm64" ? [167, 220] : [157, 56];
const FILTER = `perl -e 'my @f = ([0x20,0,0,0], [0x15,0,3,${CLONE}], [0x20,0,0,16], [0x45,0,1,0x10000000], [6,0,0,0x50001], [6,0,0,0x7fff0000]);
  my $f = join "", map { pack "SCCL", @$_ } @f; my $p = pack "Sx6P", scalar @f, $f;
  syscall(${PRCTL}, 38, 1, 0, 0, 0) == 0 && syscall(${PRCTL}, 22, 2, $p) == 0 or die; exec @ARGV'`;
/** The knobs of other distributions do not exist here: a file in their place. */
const knob = (name: string, value: number) => `mount -t tmpfs t /proc/sys/kernel; echo ${value} >/proc/sys/kernel/${name}`;

/** nsrun as root of a new user namespace with a /proc of its own, after `before`. */
async function nested(before: string, args: string, prefix = "") {
  const script = `${before}; exec env NSRUN_CACHE=${dir.file("cache")} ${prefix} ${NSRUN.join(" ")} run ${args}`;
  const { code, stdout, stderr } = await shell(["unshare", "-Urmpf", "--mount-proc", "sh", "-c", script]);
  const [error = "", hint = "", ...rest] = stderr.split("\n");
  return { code, stdout, error, hint, rest };
}

describe.skipIf(reason !== undefined)("namespaces refused inside a user namespace", () => {
  const MASK = "mount --bind /dev/null /proc/timer_list; mount -t tmpfs t /proc/irq";
  test("max_user_namespaces=0", async () => {
    const { error, hint, ...rest } = await nested("echo 0 >/proc/sys/user/max_user_namespaces", "--unshare user -- true");
    expect(error).toMatch(/clone the container: ENOSPC/);
    expect(hint).toMatch(/user\.max_user_namespaces is 0 here.*sysctl user\.max_user_namespaces=/);
    expect(rest).toEqual({ code: 125, stdout: "", rest: [""] });
  });
  test("a limit that is used up", async () => {
    const { error, hint, code } = await nested("echo 1 >/proc/sys/user/max_net_namespaces", "-- true", "unshare -n");
    expect(error).toMatch(/clone the container: ENOSPC/);
    expect(hint).toMatch(/the lowest is user\.max_net_namespaces=1/);
    expect(code).toBe(125);
  });
  test("an outer container's seccomp filter", async () => {
    const { error, hint, ...rest } = await nested(":", "--unshare user -- true", FILTER);
    expect(error).toMatch(/clone the container: EPERM/);
    expect(hint).toMatch(/seccomp filter of an outer container.*seccomp=unconfined/);
    expect(rest).toEqual({ code: 125, stdout: "", rest: [""] });
  });
  test("Debian's kernel.unprivileged_userns_clone", async () => {
    const { error, hint, ...rest } = await nested(knob("unprivileged_userns_clone", 0), "--unshare user -- true", FILTER);
    expect(error).toMatch(/clone the container: EPERM/);
    expect(hint).toMatch(/kernel\.unprivileged_userns_clone is 0: .*sysctl kernel\.unprivileged_userns_clone=1/);
    expect(rest).toEqual({ code: 125, stdout: "", rest: [""] });
  });
  test("AppArmor's knob, which lets the clone succeed and takes the capabilities", async () => {
    const before = knob("apparmor_restrict_unprivileged_userns", 1);
    const { error, hint, ...rest } = await nested(before, "-- true", "unshare -U --map-user=1000 --map-group=1000");
    expect(error).toMatch(/mount proc: EPERM/);
    expect(hint).toMatch(/apparmor_restrict_unprivileged_userns is 1.*sysctl .*=0, or a profile/);
    expect(rest).toEqual({ code: 125, stdout: "", rest: [""] });
  });
  test("a masked /proc: what masks it is named, and --share pid is a way out", async () => {
    const { error, hint, ...rest } = await nested(MASK, "--unshare user -- true");
    expect(error).toMatch(/mount proc: EPERM/);
    expect(hint).toMatch(/masked parts of \/proc \(\/proc\/irq \/proc\/timer_list\).*--share pid/);
    expect(rest).toEqual({ code: 125, stdout: "", rest: [""] });
    expect(await nested(MASK, "--unshare user --share pid -- echo works")).toEqual({
      code: 0,
      stdout: "works\n",
      error: "",
      hint: "",
      rest: [],
    });
  });
});
