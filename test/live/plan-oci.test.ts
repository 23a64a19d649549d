/** `--plan=oci`: crun starts the config.json, and inside is what the options asked for. */
import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import {
  eventually,
  HOST_SAID,
  isRoot,
  NSRUN,
  needsRoot,
  nsrun,
  type Outcome,
  shell,
  skipReason,
  temporary,
  works,
} from "./helpers.ts";

/** crun 1.8 refuses a cgroup v1 hierarchy with a v2 one beside it; without the latter it works as on plain v1. */
const CRUN = `if mountpoint -q /sys/fs/cgroup/unified; then umount /sys/fs/cgroup/unified; fi; cd "$1"; exec crun run "$2"`;
let counter = 0;

/** crun run with the config.json that nsrun prints for `words`. */
async function crun(words: readonly string[]): Promise<Outcome> {
  using bundle = temporary();
  const { code, stdout, stderr } = await shell([...NSRUN, "run", "--plan=oci", ...words]);
  expect([code, stderr.replace(HOST_SAID, "")]).toEqual([0, ""]);
  writeFileSync(bundle.file("config.json"), stdout);
  const id = `nsrun-test-${process.pid}-${++counter}`;
  // never with a user namespace: crun gives what its standard streams are to root inside (fchown), the machine's /dev/null too
  return await shell(["unshare", "--mount", "sh", "-c", CRUN, "sh", bundle.path, id]);
}

const skip = skipReason("--plan=oci", [needsRoot, [works("crun", "--version"), "crun is missing"]]);

describe.skipIf(skip !== undefined || !isRoot)("crun starts the container that nsrun would start:", () => {
  const same = async (given: readonly string[]) => {
    const words = given.includes("--uid-map") ? given : ["--userns", "host", ...given]; // the cache's directory is root's
    const [ours, theirs] = [await nsrun(words), await crun(words)];
    expect(theirs).toEqual({ ...ours, stderr: ours.stderr.replace(HOST_SAID, "") });
    expect(ours.code).toBe(0);
  };
  test("command, environment, directory, names, ids, limits", () =>
    same([
      ...["--hostname", "a", "-e", "A=1 2", "--cwd", "/tmp", "--user", "1:1", "--ulimit", "nofile=64:100"],
      ...[
        "--",
        "sh",
        "-c",
        "hostname; env | sort; pwd; id; ulimit -n; ulimit -Hn; umask; grep -E '^(Groups|NoNew)' /proc/self/status",
      ],
    ]));
  test("the same file systems in the same places", async () => {
    using dir = temporary();
    mkdirSync(dir.file("v"));
    // crun makes /dev/core, a link that the specification does not ask for
    writeFileSync(dir.file("v/x"), "from the host\n");
    // and hides a file by the machine's /dev/null, which is on a devtmpfs
    const look =
      "cat /mnt/x; touch /mnt/y 2>&1; awk '{print $2, $3}' /proc/mounts | sed 's/ devtmpfs$/ tmpfs/' | grep -v '^/ ' | sort; ls /dev | grep -v '^core$' | sort";
    await same(["-v", `${dir.file("v")}:/mnt:ro`, "--tmpfs", "/tmp:size=1m", "--", "sh", "-c", look]);
    expect(existsSync(dir.file("v/y"))).toBe(false);
  });
  test("capabilities, no new privileges, system call filter", () =>
    same([
      ...["--cap-drop", "chown", "--cap-add", "net_raw", "--"],
      ...["sh", "-c"],
      // a new user namespace is allowed or not by an argument; a socket of a family that is not; a mount is by its number
      `grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status
       unshare -U true; echo $?; mount -t tmpfs x /tmp; echo $?; (true) && echo forked; ping -c1 -q 127.0.0.1 | grep -c ' 0% packet loss'`,
    ]));
  test("another user has what was asked for by name", () =>
    same(["--user", "1:1", "--cap-add", "net_raw", "--", "sh", "-c", "grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status"]));
  test("what is hidden and read-only", () =>
    same([
      ...["--", "sh", "-c"],
      `cat /proc/keys /proc/timer_list | wc -c; ls -A /sys/firmware /proc/acpi
       for file in /proc/sys/kernel/x /proc/irq/x /sys/x; do touch $file; done 2>&1; echo done`,
    ]));
  test("a veth pair with its addresses, gone afterwards", async () => {
    const words = ["--net", "veth", "--ip", "10.79.1.2/24", "--host-ip", "10.79.1.1/24", "--cap-add", "net_raw"]; // for busybox's ping
    await same([
      ...words,
      "--",
      "sh",
      "-c",
      "ip -4 -o addr show dev eth0 | awk '{print $4}'; ip route | sort; ping -c1 -q 10.79.1.1 | grep -c ' 0% packet loss'",
    ]);
    // nobody deletes it: the kernel does with the namespace, some 40 ms later
    const left = () => Bun.spawnSync(["ip", "-j", "address", "show", "to", "10.79.1.0/24"]).stdout.toString().includes("nsr");
    await eventually("the end of the pair", () => !left());
  });
  test("the command's own exit code", async () => {
    expect((await crun(["--userns", "host", "--", "sh", "-c", "exit 7"])).code).toBe(7);
  });
});
