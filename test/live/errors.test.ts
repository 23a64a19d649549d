/** Everything that can be wrong: one line (and at most one hint) on stderr, 125 to 127, and nothing left behind. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import {
  asRoot,
  canRun,
  MAIN,
  NSRUN,
  nsrun,
  OWN_MOUNTS,
  shell,
  skipReason,
  smallRoot,
  snapshot,
  type Temporary,
  temporary,
  VETH,
  works,
} from "./helpers.ts";

const reason = skipReason("errors of nsrun run", [canRun]);
let dir: Temporary;
let before: Awaited<ReturnType<typeof snapshot>>;

/** name: [arguments after `run`, exit code, a part of the first line, a part of the hint]. DIR is the test's directory. */
const CASES: Record<string, [string[], number, RegExp, RegExp?]> = {
  "an unknown option": [["--bogus", "true"], 125, /unknown option --bogus/, /nsrun run --help/],
  "a misspelt option": [["--hostnam", "x", "true"], 125, /unknown option --hostnam/, /did you mean --hostname\?/],
  "an option without its value": [["--hostname"], 125, /--hostname needs a value/],
  "a switch with a value": [["--rw=yes", "true"], 125, /--rw takes no value/],
  "no command": [[], 125, /no command given/, /./],
  "an empty command": [[""], 125, /command is empty/],
  "a command not found": [["no-such-command"], 127, /"no-such-command".*ENOENT/, /looked in \/usr\/local\/sbin:/],
  "a path not found": [["/no/such"], 127, /"\/no\/such".*ENOENT/],
  "a command that is not executable": [["/etc/passwd"], 126, /"\/etc\/passwd".*EACCES/, /may not be executed/],
  "a directory as command": [["/etc"], 126, /"\/etc".*EACCES/],
  "a script without its interpreter": [["--rootfs", "DIR/linked", "/s"], 127, /"\/s".*ENOENT/, /interpreter \/no\/interpreter/],
  "a file that is no program": [["--rootfs", "DIR/linked", "/d"], 126, /"\/d".*ENOEXEC/, /no program for this machine/],
  "such a script on a volume": [["-v", "DIR/script:/s", "/s"], 127, /"\/s".*ENOENT/, /interpreter \/no\/interpreter/],
  "a rootfs that is missing": [["--rootfs", "DIR/nope", "true"], 125, /nope: no such file/],
  "a rootfs that is no archive": [["--rootfs", "DIR/data", "true"], 125, /not a tar archive/],
  "a rootfs that is an empty file": [["--rootfs", "DIR/empty", "true"], 125, /empty/],
  "a rootfs that is a device": [["--rootfs", "/dev/null", "true"], 125, /neither a directory nor an archive/],
  "a truncated archive": [["--rootfs", "DIR/short.tar", "true"], 125, /short\.tar/],
  "a truncated gzip": [["--rootfs", "DIR/short.tar.gz", "true"], 125, /short\.tar\.gz/],
  "an archive that climbs out": [["--rootfs", "DIR/evil.tar", "true"], 125, /evil\.tar/],
  "a rootfs without /bin/sh": [["--rootfs", "DIR/bare", "/bin/sh"], 127, /"\/bin\/sh".*ENOENT/],
  "a rootfs that cannot have /proc": [["--rw", "--rootfs", "DIR/linked", "true"], 125, /find \/proc: (ELOOP|ENOTDIR)/, /./],
  "--rw of no directory": [["--rw", "true"], 125, /--rw needs --rootfs DIR/],
  "an unknown namespace": [["--share", "bogus", "true"], 125, /unknown namespace \(known: pid net/],
  "a namespace given twice": [["--share", "net", "--unshare", "net", "true"], 125, /given by/],
  "joining a process that is gone": [["--join", "net=99999999", "true"], 125, /no such process/],
  "joining what is no namespace": [
    ["--join", "net=/etc/passwd", "true"],
    125,
    /join the net namespace.*EINVAL/,
    /no namespace of that type/,
  ],
  "joining the wrong kind": [["--join", "net=/proc/self/ns/uts", "true"], 125, /join the net namespace/],
  "an unknown network": [["--net", "bogus", "true"], 125, /expected none, host, veth, pasta or ns:PATH/],
  "a malformed CIDR": [["--net", "veth", "--ip", "10.0.0.300/24", "true"], 125, /10\.0\.0\.300/],
  "a CIDR without its length": [["--net", "veth", "--ip", "10.99.0.2", "true"], 125, /10\.99\.0\.2/],
  "an address that is in use": [["--net", "veth", "--host-ip", "127.0.0.1/8", "true"], 125, /127\.0\.0\.1\/8/],
  "an address without a network": [["--ip", "10.0.0.2/24", "true"], 125, /--ip needs --net veth/],
  "an interface name too long": [["--net", "veth", "--ifname", "sixteen-letters-", "true"], 125, /ifname/],
  "a volume without its source": [["-v", "DIR/nope:/x", "true"], 125, /nope: no such file/],
  "a volume with a relative target": [["-v", "DIR:x", "true"], 125, /absolute/],
  "a directory on a file": [["-v", "DIR:/etc/passwd", "true"], 125, /\/etc\/passwd/],
  "a file on a directory": [["-v", "DIR/data:/tmp", "true"], 125, /\/tmp/],
  "an unknown volume option": [["-v", "DIR:/x:bogus", "true"], 125, /unknown option bogus/],
  "an unknown file system": [["--mount", "type=bogus,dst=/x", "true"], 125, /ENODEV/, /no file system bogus/],
  "a bad size": [["--tmpfs", "/x:size=bad", "true"], 125, /tmpfs on \/x: EINVAL/],
  "a user that is unknown": [["--user", "nobody-here", "true"], 125, /no user nobody-here/],
  "a user with other letters that is unknown": [["--user", "jürgen", "true"], 125, /^nsrun: --user jürgen: no user jürgen/],
  "a working directory that is missing": [["--cwd", "/nope", "true"], 125, /\/nope: ENOENT/],
  "a working directory that is relative": [["--cwd", "x", "true"], 125, /absolute/],
  "an unknown limit": [["--ulimit", "bogus=1", "true"], 125, /unknown limit/],
  "a soft limit above the hard one": [["--ulimit", "nofile=9:8", "true"], 125, /above the hard limit/],
  "an environment file that never ends": [["--env-file", "/dev/full", "true"], 125, /not a regular file/],
  "an environment file that is missing": [["--env-file", "DIR/nope", "true"], 125, /ENOENT/],
  "a variable without a name": [["-e", "=x", "true"], 125, /expected KEY=VALUE/],
  "seconds that are none": [["--boottime", "1.5", "true"], 125, /whole seconds/],
  "a host name that is too long": [["--hostname", "x".repeat(65), "true"], 125, /64/],
  "an empty host name": [["--hostname", "", "true"], 125, /--hostname: the name is empty/],
  "a host name of the caller's": [["--share", "uts", "--hostname", "x", "true"], 125, /: --hostname needs a uts namespace/],
  "a domain name of the caller's": [["--share", "uts", "--domainname", "x", "true"], 125, /: --domainname needs a uts namespace/],
  "a clock of the caller's": [["--share", "time", "--monotonic", "5", "true"], 125, /: --monotonic needs a time namespace/],
  "a clock of another's": [
    ["--join", "time=/proc/self/ns/time", "--boottime", "5", "true"],
    125,
    /: --boottime needs a time namespace/,
  ],
  "propagation of the caller's mounts": [
    ["--share", "mnt", "--propagation", "shared", "true"],
    125,
    /: --propagation needs a mount namespace/,
  ],
  "an environment beyond the kernel's limit": [["--env-file", "DIR/huge", "true"], 126, /E2BIG/],
};

beforeAll(async () => {
  if (reason !== undefined) return;
  dir = temporary();
  writeFileSync(dir.file("script"), "#!/no/interpreter\n", { mode: 0o755 });
  writeFileSync(dir.file("data"), "just some data, no program and no archive\n".repeat(100), { mode: 0o755 });
  writeFileSync(dir.file("empty"), "");
  writeFileSync(dir.file("huge"), `A=${"x".repeat(1 << 18)}\n`);
  mkdirSync(dir.file("bare/etc"), { recursive: true });
  symlinkSync("/", `${await smallRoot(dir.file("linked"))}/proc`);
  writeFileSync(dir.file("linked/s"), "#!/no/interpreter\n", { mode: 0o755 });
  writeFileSync(dir.file("linked/d"), "data\n", { mode: 0o755 });
  const tar = "tar c -C linked . >short.tar && gzip -k short.tar && tar cPf evil.tar --transform 's,^data,../../data,' data";
  expect(await shell(["sh", "-c", tar], { cwd: dir.path })).toEqual({ code: 0, stdout: "", stderr: "" });
  truncateSync(dir.file("short.tar"), 100_000);
  truncateSync(dir.file("short.tar.gz"), 100_000);
  await nsrun(["true"]); // the cache exists
  before = await snapshot();
});

afterAll(async () => {
  if (reason !== undefined) return;
  expect(await snapshot()).toEqual(before);
  dir[Symbol.dispose]();
});

/** stderr's lines: the error, then perhaps its hint. */
function expectLines(stderr: string, first: RegExp, hint?: RegExp): void {
  const [error = "", second = "", ...rest] = stderr.split("\n");
  expect(error).toStartWith("nsrun: ");
  expect(error).toMatch(first);
  expect(error).not.toContain("internal error");
  if (hint) expect(second).toMatch(hint);
  expect(second === "" ? rest : [second.slice(0, 6), ...rest]).toEqual(second === "" ? [] : ["hint: ", ""]);
}

describe.skipIf(reason !== undefined)("input that is wrong", () => {
  for (const [name, [args, exit, first, hint]] of Object.entries(CASES))
    (args[1] === "veth" ? asRoot(VETH) : test)(name, async () => {
      const { code, stdout, stderr } = await nsrun(args.map((arg) => arg.replace("DIR", dir.path)));
      expectLines(stderr, first, hint);
      expect({ code, stdout }).toEqual({ code: exit, stdout: "" });
    });
});

const tool = `${process.execPath} --no-env-file ${MAIN}`;
const sh = (script: string) => shell(["bash", "-c", script]);

describe.skipIf(reason !== undefined)("surroundings that are wrong", () => {
  test("closed standard streams, each and all: the command's code, or nsrun's", async () => {
    for (const closed of ["<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"]) {
      const ran = await sh(`${tool} run -- sh -c 'exit 3' ${closed}`);
      const missing = await sh(`${tool} run no-such-command ${closed}`);
      expect({ closed, codes: [ran.code, missing.code], out: ran.stdout + missing.stdout }).toEqual({
        closed,
        codes: [3, 127],
        out: "",
      });
    }
  });
  test("a full disk for the cache: the root is made in memory", async () => {
    const full = dir.file("full");
    mkdirSync(full);
    const script = `mount -t tmpfs -o size=16k,mode=700 t ${full}; NSRUN_CACHE=${full} ${tool} run -- echo works; find ${full} -mindepth 1 | head -3`;
    expect(await shell([...OWN_MOUNTS, "sh", "-c", script])).toEqual({ code: 0, stdout: "works\n", stderr: "" });
  });
  test("a full disk while an archive is unpacked: one line, and no half entry is left", async () => {
    const full = dir.file("full2");
    mkdirSync(full);
    await sh(`tar c -C ${dir.file("linked")} bin >${dir.file("good.tar")}`);
    const script = `mount -t tmpfs -o size=512k,mode=700 t ${full}; NSRUN_CACHE=${full} ${tool} run --rootfs ${dir.file("good.tar")} -- true; echo $?; find ${full} -mindepth 1 -not -name 'memo-*'`;
    const { stdout, stderr } = await shell([...OWN_MOUNTS, "sh", "-c", script]);
    expectLines(stderr, /ENOSPC/);
    expect(stdout).toBe("125\n");
  });
  test("output to a full device is the command's own trouble", async () => {
    expect((await sh(`${tool} run -- echo hi >/dev/full`)).code).toBe(1);
  });
  test("twenty descriptors are enough, eleven are one clear error", async () => {
    expect(await sh(`ulimit -n 20; ${tool} run -- sh -c 'exit 4'`)).toEqual({ code: 4, stdout: "", stderr: "" });
    const { code, stderr } = await sh(`ulimit -n 11; ${tool} run -- true`);
    expectLines(stderr, /EMFILE/);
    expect(code).toBe(125);
  });
  test("SIGCHLD ignored or blocked by the caller does not change the result", async () => {
    for (const option of ["--ignore-signal=CHLD", "--block-signal=CHLD", "--block-signal"]) {
      const { code, stderr } = await shell(["env", option, ...NSRUN, "run", "--", "sh", "-c", "exit 4"]);
      expect({ option, code, stderr }).toEqual({ option, code: 4, stderr: "" });
    }
  });
});

const noUserns = skipReason("namespaces forbidden", [canRun, [works("unshare", "-Ur", "true"), "no user namespaces here"]]);

describe.skipIf(noUserns !== undefined)("namespaces forbidden inside a user namespace", () => {
  for (const ns of ["net", "pid", "mnt", "uts", "ipc", "cgroup"])
    test(`user.max_${ns}_namespaces=0 is named`, async () => {
      const script = `echo 0 >/proc/sys/user/max_${ns}_namespaces; exec ${tool} run true`;
      const { code, stderr } = await shell(["unshare", "-Ur", "bash", "-c", script]);
      expectLines(stderr, /clone the container: ENOSPC/, new RegExp(`user\\.max_${ns}_namespaces is 0`));
      expect(code).toBe(125);
    });
});
