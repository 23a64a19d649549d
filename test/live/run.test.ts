/** `nsrun run` as a user meets it: a world of its own, the command's results, nothing of the host. */
import { describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import {
  asRoot,
  canRun,
  ENTER_USER,
  hold,
  inside,
  isRoot,
  MAIN,
  namespacesOf,
  nsrun,
  OWN,
  OWN_MOUNTS,
  shell,
  skipReason,
  smallRoot,
  temporary,
  WAIT,
  works,
} from "./helpers.ts";

const reason = skipReason("nsrun run", [canRun, [works("nsenter", "--version"), "nsenter is not installed"]]);

interface Link {
  readonly ifname: string;
  readonly flags: readonly string[];
}

describe.skipIf(reason !== undefined)("a world of its own", () => {
  test("all namespaces but time are new, seen from outside", async () => {
    await using held = await hold([], WAIT);
    const host = namespacesOf("self");
    const box = namespacesOf(held.pid);
    const different = Object.keys(host).filter((ns) => host[ns] !== box[ns]);
    expect(different.sort()).toEqual([...OWN].sort());
  });

  test("lsns agrees: the command and its init are alone in them", async () => {
    await using held = await hold([], WAIT);
    const { stdout } = await shell(["lsns", "-J", "-p", String(held.pid), "-o", "TYPE,NPROCS"]);
    const { namespaces } = JSON.parse(stdout) as { namespaces: { type: string; nprocs: number }[] };
    const alone = namespaces.filter((ns) => ns.nprocs === 2).map((ns) => ns.type);
    expect(alone.sort()).toEqual([...OWN].sort());
  });

  test("only a loopback that is up, by ip's word", async () => {
    await using held = await hold([], WAIT);
    const { stdout } = await shell(["nsenter", "-t", String(held.pid), ...ENTER_USER, "-n", "ip", "-j", "link"]);
    const links = JSON.parse(stdout) as Link[];
    expect(links.map((link) => [link.ifname, link.flags.includes("UP")])).toEqual([["lo", true]]);
  });

  test("pid 1 is nsrun's init and the command's parent; with --no-init the command itself", async () => {
    expect(await inside([], "echo $$ $PPID; cat /proc/1/comm")).toBe("2 1\nnsrun-init");
    expect(await inside(["--no-init"], "echo $$ $PPID; read -r name </proc/1/comm; echo $name")).toBe("1 0\nsh");
  });

  test("the host name is the container's: its name by default, --hostname otherwise, the host's is untouched", async () => {
    const before = readFileSync("/proc/sys/kernel/hostname", "utf8");
    expect(await inside([], "hostname")).toBe("nsrun");
    expect(await inside(["--name", "web"], "hostname")).toBe("web");
    expect(await inside(["--hostname", "a.b", "--domainname", "dom"], "hostname; cat /proc/sys/kernel/domainname")).toBe(
      "a.b\ndom",
    );
    expect(readFileSync("/proc/sys/kernel/hostname", "utf8")).toBe(before);
  });

  asRoot("an ordinary user's ids are tested in rootless-ids.test.ts")(
    "root inside is not root outside: a range of ids that nobody else has",
    async () => {
      await using one = await hold([], WAIT);
      await using two = await hold([], WAIT);
      const maps = [one, two].map(({ pid }) => readFileSync(`/proc/${pid}/uid_map`, "utf8").trim().split(/\s+/).map(Number));
      const [[zero, first, size], other] = maps as [number[], number[]];
      expect([zero, size]).toEqual([0, 65536]);
      expect(first).toBeGreaterThanOrEqual(100000);
      expect(Math.abs(first! - other[1]!)).toBeGreaterThanOrEqual(65536);
      expect(statSync(`/proc/${one.pid}`).uid).toBe(first!);
    },
  );
  asRoot("an ordinary user has no namespaces without a user namespace")(
    "--userns host: none, as the article has it",
    async () => {
      expect(await inside(["--userns", "host"], "cat /proc/self/uid_map")).toMatch(/^ +0 +0 +4294967295$/);
    },
  );
});

const MOUNTS = {
  "/proc": ["rw", "nosuid", "nodev", "noexec"],
  "/sys": ["ro", "nosuid", "nodev", "noexec"],
  "/dev": ["ro", "nosuid", "noexec"],
  "/tmp": ["rw", "nosuid", "nodev"],
  "/run": ["rw", "nosuid", "nodev"],
  "/dev/pts": ["rw", "nosuid", "noexec"],
  "/dev/shm": ["rw", "nosuid", "nodev", "noexec"],
  "/dev/mqueue": ["rw", "nosuid", "nodev", "noexec"],
};

/** Nodes as root, binds of the host's for an ordinary user, who can make none. */
const NODES = "null zero full random urandom tty".split(" ");

/** Mount point → option words of /proc/PID/mounts. */
function mountsOf(pid: number): Record<string, string[]> {
  const lines = readFileSync(`/proc/${pid}/mounts`, "utf8").trim().split("\n");
  return Object.fromEntries(lines.map((line) => [line.split(" ")[1]!, line.split(" ")[3]!.split(",")]));
}

describe.skipIf(reason !== undefined)("mounts", () => {
  test("exactly the default ones, with their flags, and nothing of the host's tree", async () => {
    await using held = await hold([], WAIT);
    const mounts = mountsOf(held.pid);
    const hidden = /^\/(proc|sys)\/./; // test/live/security/masks.test.ts looks at these
    expect(
      Object.keys(mounts)
        .filter((place) => !hidden.test(place))
        .sort(),
    ).toEqual(["/", ...Object.keys(MOUNTS), ...(isRoot ? [] : NODES.map((node) => `/dev/${node}`))].sort());
    for (const [place, words] of Object.entries(MOUNTS)) expect(mounts[place]).toEqual(expect.arrayContaining(words));
  });

  test("nothing is in a peer group: mountinfo has neither shared nor master", async () => {
    await using held = await hold([], WAIT);
    expect(readFileSync(`/proc/${held.pid}/mountinfo`, "utf8")).not.toMatch(/ (shared|master):/);
  });

  test("/dev has its nodes, links and directories", async () => {
    const script = `cd /dev; for n in ${NODES.join(" ")}; do stat -c '%n %F %a %t,%T' $n; done; for l in ptmx fd stdin stdout stderr; do readlink $l; done; ls`;
    expect((await inside([], script)).split("\n")).toEqual([
      ...[3, 5, 7, 8, 9].map((minor, i) => `${NODES[i]} character special file 666 1,${minor}`),
      "tty character special file 666 5,0",
      ...["pts/ptmx", "/proc/self/fd", "/proc/self/fd/0", "/proc/self/fd/1", "/proc/self/fd/2"],
      ..."fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero".split(" "),
    ]);
  });

  test("the nodes work: null swallows, zero gives, full refuses, shm can be written, a pts can be opened", async () => {
    const script =
      "echo x >/dev/null && head -c4 /dev/zero | wc -c; (echo x >/dev/full) 2>/dev/null || echo full; touch /dev/shm/a && ls /dev/shm; : <>/dev/ptmx && echo pty";
    expect(await inside([], script)).toBe("4\nfull\na\npty");
  });

  test("a mount inside is not seen outside, and one outside is not seen inside", async () => {
    using dir = temporary();
    mkdirSync(dir.file("shared"));
    // the host's side is made shared, in a mount namespace of the test's own
    const script = `mount --bind ${dir.path} ${dir.path} && mount --make-shared ${dir.path} && mkdir ${dir.path}/v
      mkfifo ${dir.path}/go
      ${process.execPath} ${MAIN} run --cap-add sys_admin -v ${dir.path}:/x -- sh -c 'mount -t tmpfs i /x/v; touch /x/v/inside; echo in >/x/go; cat /x/go >/dev/null; ls /x/late; exit 0' 2>/dev/null || echo failed >${dir.path}/go &
      cat ${dir.path}/go; ls ${dir.path}/v; mkdir ${dir.path}/late; mount -t tmpfs l ${dir.path}/late; touch ${dir.path}/late/outside
      echo go >${dir.path}/go; wait`;
    const { stdout, stderr } = await shell([...OWN_MOUNTS, "sh", "-c", script]);
    expect({ stdout, stderr }).toEqual({ stdout: "in\n", stderr: "" });
  });

  test("the lower directory is the same to the byte after a run that wrote, changed and deleted", async () => {
    using dir = temporary();
    const root = await smallRoot(dir.file("root"));
    writeFileSync(`${root}/etc/keep`, "keep\n");
    const hash = () =>
      shell(["sh", "-c", `cd ${root} && find . -exec stat -c '%n %a %u %i %Y %Z' {} + | sort; tar c . | sha256sum`]);
    const before = await hash();
    const script =
      "echo new >/new; echo more >>/etc/keep; rm /bin/cat; mkdir /d; mount -t tmpfs t /etc; cat /etc/keep 2>/dev/null; ls /new";
    await nsrun(["--cap-add", "sys_admin", "--rootfs", root, "--", "sh", "-c", script]);
    expect(await hash()).toEqual(before);
  });

  test("--rw writes into the directory; --read-only writes nowhere but in the mounts", async () => {
    using dir = temporary();
    const root = await smallRoot(dir.file("root"));
    await inside(["--rootfs", root, "--rw"], "echo was here >/etc/new");
    expect(readFileSync(`${root}/etc/new`, "utf8")).toBe("was here\n");
    const { stdout, stderr } = await nsrun(["--read-only", "--", "sh", "-c", "touch /x; touch /dev/shm/y && echo shm"]);
    expect({ stdout, stderr }).toEqual({ stdout: "shm\n", stderr: "touch: /x: Read-only file system\n" });
  });

  test("--chroot gives the same tree", async () => {
    expect(await inside(["--chroot"], "pwd; ls /; cat /proc/1/comm")).toBe(await inside([], "pwd; ls /; cat /proc/1/comm"));
  });

  test("no descriptor of the host is open in the command", async () => {
    await using held = await hold([], WAIT);
    const { stdout } = await shell(["ls", `/proc/${held.pid}/fd`]);
    expect(stdout.split("\n").filter((n) => n !== "")).toEqual(["0", "1", "2"]);
    const init = Number(/^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${held.pid}/status`, "utf8"))![1]);
    const { stdout: sockets } = await shell(["sh", "-c", `for f in /proc/${init}/fd/*; do readlink $f; done`]);
    expect(sockets).toMatch(/^socket:\[\d+\]\n$/);
  });
});
