/** `--plan=sh`: the script is run by sh, and what is to be seen inside is what is to be seen in nsrun's own container. */
import { describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { canRun, isRoot, NSRUN, nsrun, shell, skipReason, smallRoot, type Temporary, temporary, works } from "./helpers.ts";

const skip = skipReason("--plan=sh", [
  canRun,
  [works("unshare", "--version") && works("setpriv", "--version") && works("ip", "-V"), "no util-linux or no iproute2"],
]);

/** An overlay's own words name its layers, which are the script's; the ids of mounts and devices are new each time. */
const LOOK = `
sed -E 's/^[0-9]+ [0-9]+ [0-9]+:[0-9]+ //; s/( - overlay [^ ]*) .*/\\1/; s/(master|shared):[0-9]+/\\1/g; s/(nr_inodes|size)=[0-9]+k?//g; s/^[^ ]* (.* (overlay|ext4))/\\1/' /proc/self/mountinfo | sort
grep -E '^(Uid|Gid|Groups|CapEff|CapBnd|NoNewPrivs|SigBlk|SigIgn|Umask)' /proc/self/status
cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups 2>&1
for ns in /proc/self/ns/*; do echo "$ns"; done
hostname; cat /proc/sys/kernel/domainname; pwd; env | sort; ulimit -n
ls -ln /dev | sed -E 's/ +[A-Z][a-z]{2} +[0-9]+ +[0-9:]+ / /'
ls -n / | awk '{print $1, $3, $4, $9}'
ip -o addr | sed -E 's/^[0-9]+: //; s/@[^ ]+//; s/ +/ /g; s/(link\\/ether|inet6 fe80:).*//'
ip route
awk '{print int($1 / 1000000)}' /proc/uptime
[ $$ = 1 ] && echo "pid 1"; readlink /proc/self/fd/0`;

interface Kind {
  readonly options: (dir: Temporary) => readonly string[];
  readonly root?: true;
  readonly user?: true;
  /** Lines in which the script can only be near: device nodes are bound where nobody may make them. */
  readonly near?: RegExp;
  /** It says itself which user namespace. Others of root have none: mapped owners have no command. */
  readonly own?: true;
}
const kind = (...options: string[]): Kind => ({ options: () => options });
const own = ["--uid-map", `0:${process.getuid?.()}`, "--gid-map", `0:${process.getgid?.()}`];

const KINDS: Readonly<Record<string, Kind>> = {
  "the default": kind(),
  "without init": kind("--no-init"),
  "one id of one's own": { ...kind(...own), user: true },
  "a veth pair": { ...kind("--net", "veth", "--ip", "10.78.1.2/24", "--host-ip", "10.78.1.1/24"), root: true },
  "a directory, written in place": { options: (dir) => ["--rootfs", dir.file("root"), "--rw"] },
  "a directory, read-only": { options: (dir) => ["--rootfs", dir.file("root"), "--read-only"] },
  // chroot(2) has to be the command's own call: CAP_SYS_CHROOT is left to it
  chroot: { ...kind("--chroot"), near: /^Cap(Eff|Bnd)/ },
  "volumes and a tmpfs": {
    options: (dir) => [
      "-v",
      `${dir.file("root")}:/x/y:ro,nosuid`,
      "-v",
      `${dir.file("file")}:/etc/file`,
      "--tmpfs",
      "/t:size=1m,mode=700",
      ...["-v", `${dir.file("root")}:/t/below`],
    ],
  },
  "names, limits, environment": kind(
    "--hostname",
    "a",
    "--domainname",
    "b",
    "--ulimit",
    "nofile=64:128",
    "-e",
    "A=1 '2'",
    "--cwd",
    "/tmp",
  ),
  "fewer descriptors than a shell needs": kind("--ulimit", "nofile=10:12", "--ulimit", "core=0:1024"),
  "read-only volumes with blanks and other letters": {
    options: (dir) => ["/a b", "/ab", "/äb"].flatMap((at) => ["-v", `${dir.file("root")}:${at}:ro,noexec`]),
  },
  "another user": { ...kind("--user", "1:1"), root: true },
  "a time namespace": kind("--boottime", "3000000", "--monotonic", "5"),
  "shared namespaces": kind("--share", "net,ipc"),
  "a user namespace of root's": {
    ...kind("--uid-map", "0:0:65536"),
    root: true,
    own: true,
    near: /\/dev\/.* devtmpfs |\/null \/proc\/|idmapped|\/dev r[ow]| null$/,
  },
  propagation: kind("--propagation", "rslave"),
};

async function same(one: Kind): Promise<void> {
  using dir = temporary();
  mkdirSync(dir.file("root"));
  await smallRoot(dir.file("root"));
  writeFileSync(dir.file("file"), "x");
  const options = [...(isRoot && !one.own ? ["--userns", "host"] : []), ...one.options(dir)];
  const command = ["--", "sh", "-c", LOOK];
  const [ours, script] = [
    await nsrun([...options, ...command]),
    await shell([...NSRUN, "run", ...options, "--plan=sh", ...command]),
  ];
  expect(script.stderr).toBe(ours.stderr); // nothing, or that the host's network is shared
  writeFileSync(dir.file("script"), script.stdout);
  const theirs = await shell(["sh", dir.file("script")]);
  expect([theirs.code, theirs.stderr]).toEqual([ours.code, ""]);
  const seen = ({ stdout }: { stdout: string }) => stdout.split("\n").filter((line) => !one.near?.test(line));
  expect(seen(theirs)).toEqual(seen(ours));
  expect(ours.stdout).toContain(" - proc proc ");
}

describe.skipIf(skip !== undefined)("the script makes the same container:", () => {
  for (const [name, one] of Object.entries(KINDS)) {
    const left = one.root && !isRoot ? "needs root" : one.user && isRoot ? "for an ordinary user" : undefined;
    if (left) console.log(`skip: the script of ${name}: ${left}`);
    test.skipIf(left !== undefined)(name, () => same(one));
  }
});
