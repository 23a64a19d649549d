/** The catalogue of causes, row by row: each failure is provoked for real, and the hint is what that row says after its look. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, readFileSync, symlinkSync } from "node:fs";
import { RULES } from "../../src/container/hints.ts";
import { CHECKOUT, NSRUN, needsRoot, shell, skipReason, smallRoot, type Temporary, temporary, works } from "./helpers.ts";
import { TestUser } from "./user.ts";

const reason = skipReason("the catalogue of causes", [
  needsRoot,
  [works("unshare", "-Urm", "true"), "no user namespaces here"],
  [works("setpriv", "--bounding-set", "-mknod", "true"), "setpriv cannot drop capabilities here"],
]);

interface Case {
  /** The shell's words, with $RUN for `nsrun --errors=json run`, $DENY and $PROVOKE for the two programs, $DIR. In a mount namespace. */
  readonly sh: string;
  readonly hint: RegExp;
  /** As an ordinary user; `before` is root's in that mount namespace. */
  readonly user?: { readonly before?: string };
}
/** Why a row cannot be had on the machine of the test, and where else it is tested. */
type Elsewhere = string;

const KNOB = "mount -t tmpfs t /proc/sys/kernel; echo 1 >/proc/sys/kernel/apparmor_restrict_unprivileged_userns";
const v2 = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"].find((dir) => existsSync(`${dir}/cgroup.controllers`));
/** A domain controller: threaded ones may be switched on beside processes. */
const domain = v2 && /memory|io/.exec(readFileSync(`${v2}/cgroup.subtree_control`, "utf8"))?.[0];
const NEW = "0x7e020000"; // all CLONE_NEW* of clone(2)
const MANY =
  "mkdir m && mount -t tmpfs t m && cd m && for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do mkdir $i && mount --rbind . $i; done; cd ..";

/** `CALL CODE`, and a number for the second and further rows of the same. */
const CASES: Record<string, Case | Elsewhere> = {
  "* EMFILE": {
    sh: "for n in 10 11 12 13 14 15 16 17 18 19; do (ulimit -n $n; $RUN true) 2>out; grep -q 'ulimit -n' out && break; done; cat out >&2",
    hint: /the limit of open files, 1\d, is reached: raise it with ulimit -n/,
  },
  "* ENFILE": { sh: "$DENY fsopen ENFILE -- $RUN true", hint: /sysctl fs\.file-max/ },
  "clone ENOSPC": {
    sh: "unshare -Ur sh -c 'echo 0 >/proc/sys/user/max_uts_namespaces; exec $RUN true'",
    hint: /user\.max_uts_namespaces is 0/,
  },
  "clone EUSERS": { sh: `$DENY clone EUSERS '0&${NEW}' -- $RUN true`, hint: /a limit of namespaces is reached/ },
  "clone EPERM": { sh: "$RUN --share user true", user: {}, hint: /need root, or a user namespace/ },
  "clone EACCES": {
    sh: "$DENY clone EACCES '0&0x10000000' -- $RUN --unshare user true",
    hint: /seccomp filter of an outer container/,
  },
  "clone EINVAL": "a kernel without a kind of namespace: test/container/refusals.test.ts",
  "clone ENOMEM": {
    sh: "touch ns; unshare --pid=ns --fork true; $RUN --join pid=$DIR/ns true",
    hint: /the pid namespace to be used has lost its first process/,
  },
  "clone EAGAIN": { sh: `$DENY clone EAGAIN '0&${NEW}' -- $RUN true`, hint: /limit of processes is reached: ulimit -u/ },
  "unshare ENOSPC": {
    sh: "unshare -Ur sh -c 'echo 0 >/proc/sys/user/max_time_namespaces; exec $RUN --boottime 1 true'",
    hint: /user\.max_time_namespaces is 0/,
  },
  "unshare EINVAL": { sh: `$PROVOKE unshare ${0x10000000}`, hint: /process with threads/ },
  "clone EOPNOTSUPP": { sh: `$DENY clone EOPNOTSUPP '0&${NEW}' -- $RUN true`, hint: /--pids-limit max/ },
  "unshare EPERM": { sh: "$RUN --share user --boottime 1 true", user: {}, hint: /new time namespace needs root/ },
  "unshare EPERM 2": { sh: `$PROVOKE unshare ${0x20000}`, user: {}, hint: /need root, or a user namespace/ },
  "setns EPERM": {
    sh: "touch ns; mount --bind /proc/self/ns/net ns; unshare -Ur $RUN --join net=$DIR/ns true",
    hint: /join that one as well with --join user=/,
  },
  "setns EINVAL": { sh: "$RUN --join net=/etc/passwd true", hint: /no namespace of that type/ },
  "openat2 ENOENT": {
    sh: "rm linked/proc; ln -s /nowhere linked/gone; $RUN --rootfs linked -v $DIR:/gone/x true",
    hint: /leads to what is not in it/,
  },
  "openat2 EXDEV": {
    sh: "rm linked/proc; ln -s /proc linked/other; $RUN --rw --rootfs linked -v $DIR:/other/x true",
    hint: /leads onto another mount/,
  },
  "on_mounts EXDEV": {
    sh: "rm linked/proc; ln -s /proc linked/other; $RUN --rootfs linked -v $DIR:/other/x true",
    hint: /leads onto another mount/,
  },
  "openat2 EAGAIN": { sh: "$DENY openat2 EAGAIN -- $RUN true", hint: /renamed, or something mounted, at the very moment/ },
  "fchdir ENOTDIR": { sh: "$DENY fchdir ENOTDIR -- $RUN true", hint: /something else than a directory/ },
  "rooted EXDEV": "a directory moved away while the command starts: test/live/hostile-cwd.test.ts",
  "landlock_add_rule EINVAL": { sh: "$RUN --landlock rx:/ --landlock read-dir:/etc/passwd true", hint: /a right of directories/ },
  "landlock_restrict_self E2BIG": {
    sh: "$DENY landlock_restrict_self E2BIG -- $RUN --landlock rx:/ true",
    hint: /sixteen Landlock domains/,
  },
  "openat2 ELOOP": { sh: "$RUN --rw --rootfs linked true", hint: /symbolic link lies in the way/ },
  "openat2 ENOTDIR": {
    sh: "rm linked/proc; : >linked/proc; $RUN --rw --rootfs linked true",
    hint: /something else than a directory/,
  },
  "mkdirat EROFS": {
    sh: "mkdir ro; mount -t tmpfs t ro; mount -o remount,ro ro; $RUN --rw --rootfs ro true",
    hint: /its file system is read-only/,
  },
  "mkdirat ENOSPC": {
    sh: "mkdir full; mount -t tmpfs -o nr_inodes=2 t full; $RUN --rw --rootfs full true",
    hint: /no space for the container's/,
  },
  "mknodat EPERM": { sh: "setpriv --bounding-set -mknod $RUN true", hint: /CAP_MKNOD is missing/ },
  "mknodat EPERM 2": { sh: "$DENY mknodat EPERM -- $RUN true", hint: /where a device cgroup forbids it/ },
  "says EBADMSG": "a call that only says it was done: test/live/read-back.test.ts",
  "descriptors EBADMSG": "the same: test/live/read-back.test.ts",
  "at_root EBADMSG": "the same: test/live/read-back.test.ts",
  "fsopen EPERM": {
    sh: "unshare -Ur sh -c 'unshare -n sleep 9 & sleep 0.3; $RUN --unshare user --join net=$! true; kill $!'",
    hint: /leave --unshare user out/,
  },
  "fsopen EPERM 2": { sh: "unshare -Ur $RUN --net host true", hint: /--unshare user takes the \/sys that is there/ },
  "fsmount EPERM": { sh: "$RUN true", user: { before: KNOB }, hint: /AppArmor takes all capabilities/ },
  "mount EPERM": { sh: "$DENY mount EPERM -- $RUN true", user: { before: KNOB }, hint: /AppArmor takes all capabilities/ },
  "mount EACCES": { sh: "$DENY mount EACCES -- $RUN true", user: { before: KNOB }, hint: /AppArmor takes all capabilities/ },
  "fsmount EPERM 2": {
    sh: "unshare -Urmpf --mount-proc sh -c 'mount -t tmpfs t /proc/irq; exec $RUN --unshare user true'",
    hint: /masked parts of \/proc \(\/proc\/irq\)/,
  },
  "mount EACCES 2": {
    sh: "mkdir -m 700 $HOME/cache/closed; $RUN --uid-map 0:200000:2 --gid-map 0:500000:2 --rootfs $HOME/cache/closed true",
    user: {},
    hint: /root inside must be able to read the rootfs/,
  },
  "fsmount EPERM 3": { sh: "unshare -m sh -c 'umount -lR /sys; exec $RUN true'", hint: /\/sys is not mounted here/ },
  "mount EPERM 2": {
    // the container's third mount: private, tmpfs, overlay
    sh: "strace -f -qqq -o /dev/null -e trace=mount -e inject=mount:error=EPERM:when=3 $RUN --uid-map 0:47110 --gid-map 0:47110 true",
    user: {},
    hint: /overlay in a user namespace needs Linux 5\.11/,
  },
  "mount EINVAL": { sh: "$RUN --rootfs / true", user: {}, hint: /host's root cannot be a lower layer/ },
  "mount EBUSY": {
    sh: `mkdir o; mount -t tmpfs t o; cd o; mkdir l u w a b; O=lowerdir=l,upperdir=u,workdir=w,index=on; mount -t overlay -o $O o a;
      $PROVOKE mount overlay b overlay 0 $O`,
    hint: /in use by another overlay/,
  },
  "mount EINVAL 2": {
    sh: "for d in proc dev usr lib lib64 etc bin; do mkdir -p j/$d; mount --rbind /$d j/$d; done; mkdir -p j$CHECKOUT j$DIR; mount --rbind $CHECKOUT j$CHECKOUT; mount --bind $DIR j$DIR; chroot j $RUN --userns host true",
    hint: /nsrun is in a chroot whose directory is no mount/,
  },
  "mount EINVAL 3": { sh: "$RUN --tmpfs /x:size=bad true", hint: /unknown or has a bad value/ },
  "mount ENODEV": { sh: "$RUN --mount type=bogus,dst=/x true", hint: /no file system bogus: modprobe bogus/ },
  "mount ENOSPC": {
    sh: `${MANY}; mkdir n; $PROVOKE mount m n none ${4096 | 16384}`,
    hint: /may have 100000 mounts and this one has 6\d{4}: umount some, or sysctl fs\.mount-max=200000/,
  },
  "mount EPERM 3": { sh: "$DENY mount EPERM -- $RUN true", hint: /outer container's filter may forbid it/ },
  "move_mount ENOSPC": { sh: `${MANY}; $RUN -v $DIR/m:/m true`, hint: /may have 100000 mounts and this one has \d+/ },
  "move_mount EINVAL": { sh: "$RUN -v $DIR:/etc/passwd true", hint: /a directory on a directory/ },
  "open_tree EINVAL": { sh: "$RUN -v /:/host:bind true", user: {}, hint: /mounts of another user namespace lie on it/ },
  "pivot_root EINVAL": { sh: "$DENY pivot_root EINVAL -- $RUN true", hint: /may be an initramfs/ },
  "sethostname EINVAL": { sh: `unshare -u $PROVOKE sethostname ${"x".repeat(65)} 65`, hint: /at most 64 bytes/ },
  "prlimit64 EPERM": { sh: "$RUN --ulimit nofile=100:999999999 true", user: {}, hint: /hard limit can only be lowered/ },
  "bound_capabilities EPERM": {
    sh: "setpriv --bounding-set -setpcap $RUN --userns host true",
    hint: /giving capabilities up needs CAP_SETPCAP/,
  },
  "capset EPERM": { sh: "$DENY capset EPERM -- $RUN true", hint: /capabilities that you do not have yourself/ },
  "keyctl EDQUOT": { sh: "$DENY keyctl EDQUOT -- $RUN true", hint: /your quota of keys is used up/ },
  "keyctl ENOSYS": { sh: "$DENY keyctl ENOSYS -- $RUN true", hint: /--no-new-keyring goes without one/ },
  "keyctl EPERM": { sh: "$DENY keyctl EPERM -- $RUN true", hint: /--no-new-keyring goes without one/ },
  "seccomp EACCES": { sh: "$DENY seccomp EACCES -- $RUN true", hint: /not with --new-privileges/ },
  "seccomp EINVAL": { sh: "$DENY seccomp EINVAL -- $RUN true", hint: /no system call filters/ },
  "seccomp ENOSYS": { sh: "$DENY seccomp ENOSYS -- $RUN true", hint: /no seccomp\(2\)/ },
  "write ERANGE": { sh: "$RUN --monotonic 99999999999 true", hint: /below zero, or beyond 146 years/ },
  "write EPERM": { sh: "$DENY write EPERM 2=10 -- $RUN true", user: { before: KNOB }, hint: /AppArmor takes all capabilities/ },
  "write EPERM 2": { sh: "setpriv --bounding-set -setuid $RUN --unshare user true", hint: /needs CAP_SETUID outside/ },
  "openat EACCES": { sh: `$DENY openat EACCES 2=${0x80001} -- $RUN true`, user: { before: KNOB }, hint: /AppArmor takes all/ },
  "setresuid EINVAL": { sh: "unshare -Ur $RUN --user 5:0 true", hint: /that user is not mapped/ },
  "write EINVAL": { sh: "unshare -Ur $RUN --user 0:5 true", hint: /that group is not mapped/ },
  "setresgid EINVAL": { sh: "$DENY setresgid EINVAL -- $RUN --user 0:5 true", hint: /that group is not mapped/ },
  "setgroups EPERM": { sh: "setpriv --bounding-set -setgid $RUN --userns host true", hint: /CAP_SETGID is missing/ },
  "setgroups EPERM 2": { sh: "unshare -Ur $PROVOKE setgroups 0 0", hint: /setgroups is denied/ },
  "unlinkat EBUSY":
    v2 === undefined
      ? "no cgroup v2 here"
      : {
          sh: `g=${v2}/nsrun-test-$$; mkdir $g; sleep 60 & echo $! >$g/cgroup.procs; $PROVOKE unlinkat -100 $g 512; kill $!; wait; rmdir $g`,
          hint: /the cgroup has processes/,
        },
  "write EBUSY":
    domain === undefined
      ? "no controllers for groups in cgroup v2 here"
      : {
          sh: `g=${v2}/nsrun-test-$$; mkdir $g; sleep 60 & echo $! >$g/cgroup.procs; exec 9>$g/cgroup.subtree_control; $PROVOKE write 9 +${domain} ${domain.length + 1}; kill $!; wait; rmdir $g`,
          hint: /gives no controllers to its children/,
        },
  "mount_setattr EINVAL": { sh: "$RUN -v /proc:/x true", hint: /:noidmap/ },
  "mount_setattr EPERM": {
    // the parent's second one: private, owners
    sh: "strace -f -qqq -o /dev/null -e trace=mount_setattr -e inject=mount_setattr:error=EPERM:when=2 $RUN true",
    hint: /--userns host/,
  },
  "getxattr EOPNOTSUPP": {
    sh: `mkfifo f; unshare -U sh -c "echo >f; exec sleep 60" & read _ <f; $DENY getxattr EOPNOTSUPP -- $RUN --join user=$! true; kill $!; wait`,
    hint: /--userns host/,
  },
  "* ENOSYS": {
    sh: "$DENY close_range ENOSYS -- $RUN true",
    hint: /kernel is too old for the call, or an outer container's filter/,
  },
  "* EPERM": { sh: "$DENY umount2 EPERM -- $RUN true", hint: /nsrun doctor tries what works/ },
};

function rowNames(): string[] {
  const seen = new Map<string, number>();
  return RULES.map(([call, code]) => {
    const name = `${call} ${code}`;
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    return count === 1 ? name : `${name} ${count}`;
  });
}

let dir: Temporary;
let user: TestUser;
beforeAll(async () => {
  if (reason !== undefined) return;
  user = await TestUser.make();
  await shell(["cp", "-r", `${CHECKOUT}/test`, user.home.file("nsrun/test")]);
  await shell(["chmod", "-R", "go+rX", user.home.file("nsrun")]);
});
afterAll(() => {
  if (reason === undefined) user[Symbol.dispose]();
});

/** The variables of a script; the user's are his copies. */
function variables(command: readonly string[], place: string): string {
  const main = command.at(-1)!;
  const programs = main.replace(/src\/cmd\/main\.ts$/, "test/live");
  const start = command.slice(0, -1).join(" ");
  const all = {
    RUN: `${start} ${main} --errors=json run`,
    DENY: `${start} ${programs}/deny.ts`,
    PROVOKE: `${start} ${programs}/provoke.ts`,
    DIR: place,
    CHECKOUT,
  };
  return Object.entries(all)
    .map(([name, value]) => `export ${name}='${value}'`)
    .join("; ");
}

async function provoke({ sh, user: asUser }: Case): Promise<string> {
  if (asUser) {
    const { before } = asUser;
    const [unshare = "", ...words] = user.argv(before === undefined ? {} : { before });
    const script = words.slice(0, -NSRUN.length);
    const copy = words.slice(-NSRUN.length);
    return (await shell([unshare, ...script, "sh", "-c", `${variables(copy, user.home.path)}; cd ${user.home.path}; ${sh}`]))
      .stderr;
  }
  return (await shell(["unshare", "-m", "sh", "-c", `${variables(NSRUN, dir.path)}; cd ${dir.path}; ${sh}`])).stderr;
}

describe.skipIf(reason !== undefined)("a row of the catalogue", () => {
  test("has a case each, and no case is left over", () => {
    expect(Object.keys(CASES).sort()).toEqual(rowNames().sort());
  });
  for (const [name, what] of Object.entries(CASES)) {
    if (typeof what === "string") {
      test.skip(`${name}: ${what}`, () => {});
      continue;
    }
    test(name, async () => {
      using place = temporary();
      dir = place;
      chmodSync(place.path, 0o755);
      symlinkSync("/", `${await smallRoot(place.file("linked"))}/proc`);
      const stderr = await provoke(what);
      const line = stderr.split("\n").findLast((text) => text.startsWith("{")) ?? stderr;
      const [, call, code] = /^(\S+) (\S+)/.exec(name)!;
      const told = line.startsWith("{") ? JSON.parse(line) : { line };
      expect(told).toMatchObject({ code, hint: expect.stringMatching(what.hint) });
      if (call !== "*") expect(told.call.name).toBe(call);
    }, 30_000);
  }
});
