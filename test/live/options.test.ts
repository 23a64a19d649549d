/** Options of `nsrun run`: volumes, mounts, links in the rootfs that point to the host, environment, limits, users. */
import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { asRoot, canRun, inside, nsrun, OWN_MOUNTS, shell, skipReason, smallRoot, type Temporary, temporary } from "./helpers.ts";

const reason = skipReason("options of nsrun run", [canRun]);
const RECIPES = ["detached", "paths", "staged"] as const;

function source(): Temporary {
  const dir = temporary();
  mkdirSync(dir.file("src/sub"), { recursive: true });
  writeFileSync(dir.file("src/f"), "file\n");
  return dir;
}

for (const recipe of RECIPES) {
  const env = { NSRUN_ROOT_RECIPE: recipe };
  const run = (options: string[], script: string) => inside(options, script, { env });

  describe.skipIf(reason !== undefined)(`volumes, recipe ${recipe}`, () => {
    test("a directory and a file, writable, on targets that are made", async () => {
      using dir = source();
      const text = await run(
        ["-v", `${dir.file("src")}:/new/deep/er`, "-v", `${dir.file("src/f")}:/new/file`],
        "cat /new/deep/er/f /new/file; echo w >/new/deep/er/g",
      );
      expect({ text, written: readFileSync(dir.file("src/g"), "utf8") }).toEqual({ text: "file\nfile", written: "w\n" });
    });

    test("ro refuses to write, also on a file, and over a file of the root", async () => {
      using dir = source();
      const volumes = ["-v", `${dir.file("src")}:/x:ro`, "-v", `${dir.file("src/f")}:/etc/passwd:ro`];
      expect(
        await run(volumes, "(echo >/x/g) 2>/dev/null || echo no; (echo >/etc/passwd) 2>/dev/null || echo no; cat /etc/passwd"),
      ).toBe("no\nno\nfile");
      expect(readdirSync(dir.file("src")).sort()).toEqual(["f", "sub"]);
    });

    test("ro leaves a mount below writable, rro does not, bind leaves it out", async () => {
      using dir = source();
      const probe = "(touch /x/sub/w) 2>/dev/null && echo writable || echo refused; ls /x/sub";
      const bun = `${process.execPath} --no-env-file ${new URL("../../src/cmd/main.ts", import.meta.url).pathname}`;
      const one = (word: string) =>
        `${bun} run -v ${dir.file("src")}:/x:${word} -- sh -c '${probe}'; rm -f ${dir.file("src/sub/w")}`;
      mkdirSync(dir.file("other"));
      // not a tmpfs: it could not map owners before Linux 6.3
      const script = `mount --bind ${dir.file("other")} ${dir.file("src/sub")}; : >${dir.file("src/sub/below")}; ${["ro", "rro", "bind"].map(one).join("; ")}`;
      const { stdout, stderr } = await shell([...OWN_MOUNTS, "sh", "-c", script], { env });
      expect({ stdout, stderr }).toEqual({ stdout: "writable\nbelow\nw\nrefused\nbelow\nwritable\nw\n", stderr: "" });
    });

    test("a link at the target that points to the host's paths leads to the same path inside", async () => {
      using dir = source();
      const root = await smallRoot(dir.file("root"));
      mkdirSync(dir.file("host"));
      mkdirSync(`${root}${dir.path}/host`, { recursive: true });
      symlinkSync("/etc", `${root}/abs`);
      symlinkSync("../../../../../../../../etc", `${root}/up`);
      symlinkSync(dir.file("host"), `${root}/tohost`);
      for (const place of ["/abs", "/up"]) {
        const text = await run(["--rootfs", root, "-v", `${dir.file("src")}:${place}`], "cat /etc/f");
        expect(text).toBe("file");
      }
      // the temporary directory may lie below /tmp, where the container has a tmpfs of its own
      const text = await run(
        ["--rootfs", root, "--unmask", "/tmp", "-v", `${dir.file("src")}:/tohost/t`],
        `cat ${dir.file("host")}/t/f`,
      );
      expect(text).toBe("file");
      expect([readdirSync(dir.file("host")), existsSync("/etc/f"), readdirSync(`${root}/etc`)]).toEqual([[], false, []]);
    });

    test("a magic link, a dangling link and .. are refused in one line, and nothing is made on the host", async () => {
      using dir = source();
      const root = await smallRoot(dir.file("root"));
      symlinkSync(dir.file("nowhere"), `${root}/dangling`);
      for (const place of ["/proc/1/root/x", "/dangling/x", "/a/../../x"]) {
        const { code, stdout, stderr } = await nsrun(["--rootfs", root, "-v", `${dir.file("src")}:${place}`, "--", "true"], {
          env,
        });
        expect({ place, code, stdout, lines: stderr.split("\n").length <= 3 }).toEqual({
          place,
          code: 125,
          stdout: "",
          lines: true,
        });
        expect(stderr).toStartWith("nsrun: ");
      }
      expect([existsSync(dir.file("nowhere")), existsSync("/x")]).toEqual([false, false]);
    });

    test("/proc, /sys and /dev of the rootfs may be links to anywhere: they are never followed", async () => {
      using dir = source();
      const root = await smallRoot(dir.file("root"));
      mkdirSync(dir.file("evil"));
      symlinkSync("/", `${root}/proc`);
      symlinkSync(dir.file("evil"), `${root}/sys`);
      symlinkSync(`../../../../../..${dir.file("evil")}`, `${root}/dev`);
      expect(await run(["--rootfs", root], "stat -c '%n %F' /proc /sys /dev /dev/null; cat /proc/1/comm")).toBe(
        "/proc directory\n/sys directory\n/dev directory\n/dev/null character special file\nnsrun-init",
      );
      const { code, stderr } = await nsrun(["--rootfs", root, "--rw", "--", "true"], { env });
      expect(code).toBe(125);
      expect(stderr).toMatch(/^nsrun: step .*find \/proc: ELOOP .*\nhint: .*symbolic link.*\n$/);
      expect(readdirSync(dir.file("evil"))).toEqual([]);
    });
  });
}

describe.skipIf(reason !== undefined)("mounts asked for", () => {
  test("a tmpfs has its size and is nosuid,nodev", async () => {
    const script = "grep ' /t ' /proc/mounts; head -c 2000000 /dev/zero 2>/dev/null >/t/x; wc -c </t/x";
    const [line, size] = (
      await inside(["--tmpfs", "/t:size=1m,mode=700"], script.replace("; wc", " ; wc")).catch((error: Error) =>
        error.message.replace(/^exit .*\n/, ""),
      )
    ).split("\n");
    expect(line).toMatch(/^tmpfs \/t tmpfs rw,nosuid,nodev,relatime,size=1024k,mode=700/);
    expect(Number(size)).toBeLessThanOrEqual(1 << 20);
  });

  test("--tmpfs understands exec and suid, as Docker does", async () => {
    expect(await inside(["--tmpfs", "/t:exec,suid,dev"], "grep -c ' /t ' /proc/mounts")).toBe("1");
  });

  test("--mount takes key=value in any order and mount(8)'s words", async () => {
    using dir = source();
    const options = ["--mount", `dst=/b,ro,source=${dir.file("src")}`, "--mount", "type=tmpfs,target=/u,size=8k,noexec"];
    const text = await inside(options, "cat /b/f; (echo >/b/g) 2>/dev/null || echo no; grep ' /u ' /proc/mounts");
    expect(text).toMatch(/^file\nno\ntmpfs \/u tmpfs rw,noexec,relatime,size=8k/);
  });

  test("--mount of the kernel's own file systems is inert, and shows nothing that is hidden unless all is shown", async () => {
    expect(await nsrun(["--mount", "type=proc,dst=/x", "--", "true"])).toMatchObject({
      code: 125,
      stderr: expect.stringMatching(/^nsrun: --mount type=proc,dst=\/x: .*only with --unmask all\n$/),
    });
    const mounts = ["proc", "sysfs", "mqueue"].flatMap((type) => ["--mount", `type=${type},dst=/x/${type}`]);
    const text = await inside(["--unmask", "all", ...mounts], "grep ' /x/' /proc/mounts | cut -d' ' -f3,4");
    expect(text.split("\n")).toEqual(["proc", "sysfs", "mqueue"].map((type) => `${type} rw,nosuid,nodev,noexec,relatime`));
    const pts = ["--mount", "type=devpts,dst=/x,ptmxmode=666"];
    expect(await inside(pts, ": <>/x/ptmx; grep ' /x ' /proc/mounts")).toMatch(/^devpts \/x devpts rw,nosuid,noexec,/);
  });

  const v1 = readFileSync("/proc/mounts", "utf8").includes(" /sys/fs/cgroup/memory cgroup ");
  asRoot("a hierarchy of cgroup v1")("cgroup v1 can only be read, by root of the machine too", async () => {
    if (!v1) return console.log("skip: no hierarchy of cgroup v1 here");
    const make = "mkdir /x/made 2>&1 || ls /x/cgroup.procs";
    for (const host of [[], ["--userns", "host"]])
      expect(await inside([...host, "--mount", "type=cgroup,dst=/x,memory"], make)).toMatch(
        /Read-only file system\n\/x\/cgroup.procs$/,
      );
  });

  test("a later mount may lie in an earlier one", async () => {
    using dir = source();
    expect(await inside(["--tmpfs", "/t", "-v", `${dir.file("src")}:/t/in/side`], "ls /t/in/side")).toBe("f\nsub");
  });
});

describe.skipIf(reason !== undefined)("the process", () => {
  test("the environment is built from scratch; -e and --env-file add to it, -e wins", async () => {
    using dir = temporary();
    writeFileSync(dir.file("env"), "# comment\n\nA=file\nB=a=b c\n");
    const options = ["-e", "A=option", "-e", "SECRET_OF_CALLER", "-e", "ABSENT", "--env-file", dir.file("env")];
    const env = { SECRET_OF_CALLER: "yes", OTHER_SECRET: "no", TERM: "dumb", LD_PRELOAD: "" };
    const text = await inside(options, "env", { env });
    expect(
      text
        .split("\n")
        .filter((line) => !/^(SHLVL|PWD)=/.test(line))
        .sort(),
    ).toEqual([
      "A=option",
      "B=a=b c",
      "HOME=/root",
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      "SECRET_OF_CALLER=yes",
      "TERM=dumb",
      "container=nsrun",
    ]);
  });

  test("--cwd, --user by number and by name, supplementary groups dropped, HOME as in passwd", async () => {
    expect(await inside(["--cwd", "/etc"], "pwd")).toBe("/etc");
    expect(await inside(["--user", "12:34"], "id -u; id -g; id -G")).toBe("12\n34\n34");
    expect(await inside(["--user", "nobody"], "id -u; id -un")).toBe("65534\nnobody");
    expect(await inside(["--user", "nobody:root"], "id -u; id -g")).toBe("65534\n0");
  });

  test("another user has no capabilities", async () => {
    expect(await inside(["--user", "12:34"], "grep -E 'Cap(Prm|Eff|Amb)' /proc/self/status | cut -f2 | sort -u")).toBe(
      "0000000000000000",
    );
  });

  test("limits, by prlimit's names", async () => {
    const text = await inside(["--ulimit", "nofile=100:200", "--ulimit", "core=0"], "ulimit -n; ulimit -Hn; ulimit -c");
    expect(text).toBe("100\n200\n0");
    expect(await inside(["--ulimit", "nofile=10", "--ulimit", "nofile=20:30"], "ulimit -n")).toBe("20"); // the last one counts
    // fewer than nsrun has open itself, and too few to read anything back with
    for (const most of ["10", "3", "1"]) expect(await inside(["--ulimit", `nofile=${most}`], "ulimit -Hn")).toBe(most);
  });

  test("umask 022 and no blocked or ignored signal, whatever the caller has", async () => {
    const script = `umask 077; exec env --ignore-signal=HUP,INT,PIPE --block-signal=TERM,USR1 "$@"`;
    const argv = [process.execPath, new URL("../../src/cmd/main.ts", import.meta.url).pathname, "run", "--", "sh", "-c"];
    const { stdout } = await shell([
      "bash",
      "-c",
      script,
      "x",
      ...argv,
      "umask; grep -E 'Sig(Blk|Ign)' /proc/self/status | cut -f2",
    ]);
    expect(stdout).toBe("0022\n0000000000000000\n0000000000000000\n");
  });
});
