/** Which streams are the container's terminal, and what passes through it: -t, -i, pipes, files, ends of input. */
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { canRun, isRoot, NSRUN, nsrun, shell, skipReason, snapshot, TRACED, temporary, works } from "./helpers.ts";
import { Screen } from "./tmux.ts";

const reason = skipReason("terminal streams", [canRun, [works("tmux", "-V"), "tmux is missing"]]);
const RUN = `${NSRUN.join(" ")} run`;
/** Through a terminal made by script(1). */
const script = (command: string) => shell(["script", "-qec", command, "/dev/null"]);

describe.skipIf(reason !== undefined)("-t without a terminal", () => {
  test("gives one of 80 by 24, with stdin as its input and all output to stdout", async () => {
    const { code, stdout, stderr } = await nsrun(
      ["-t", "--", "sh", "-c", "stty -echo; read x; tty; stty size; echo $x; echo e >&2; exit 4"],
      {
        stdin: "typed\n",
      },
    );
    expect(stdout.replace("typed\r\n/dev", "/dev")).toBe("/dev/pts/0\r\n24 80\r\ntyped\r\ne\r\n");
    expect({ code, stderr }).toEqual({ code: 4, stderr: "" });
  });
  test("an input that has ended stays ended, for each reader in turn", async () => {
    const { code, stdout } = await nsrun(["-t", "--", "sh", "-c", "cat; sleep 0.2; cat; cat; echo over"], { stdin: "a\n" });
    expect({ code, stdout }).toEqual({ code: 0, stdout: "a\r\na\r\nover\r\n" });
  });
  test("a shell ends with its input, in the midst of a line too", async () => {
    expect((await nsrun(["-t", "--", "sh"], { stdin: "echo a\nexit 6" })).code).toBe(6);
    expect((await nsrun(["-t", "--", "sh"], { stdin: "true\n" })).code).toBe(0);
    expect((await nsrun(["-t", "--", "cat"], { stdin: "part of a line" })).code).toBe(0);
  });
  test("output that cannot be written is an error, whether the command has ended or not", async () => {
    for (const command of ["echo x", "echo x; sleep 0.2; echo y", "seq 1 100000"]) {
      const { code, stderr } = await shell(["sh", "-c", `exec ${RUN} -t -- sh -c "$1" >/dev/full`, "sh", command]);
      const line = "nsrun: cannot write the terminal's output: ENOSPC (no space left on device)\n";
      expect({ code, stderr }).toEqual({ code: 125, stderr: line });
    }
  });
  test("who reads letter by letter is not flooded when the input has ended", async () => {
    const { stdout } = await nsrun(["-t", "--", "sh", "-c", "stty raw -echo; timeout 1 cat | wc -c; true"], { stdin: "a" });
    expect(Number(/[0-9]+/.exec(stdout)?.[0])).toBeWithin(2, 500);
  });
  test("stdin closed is an input at its end", async () => {
    expect(await shell(["sh", "-c", `${RUN} -t -- sh -c 'cat; tty' <&-`])).toEqual({
      code: 0,
      stdout: "/dev/pts/0\r\n",
      stderr: "",
    });
  });
  test("a stream that is closed is /dev/null inside, with and without a terminal", async () => {
    const where = (fd: number) => `${RUN} -- sh -c 'x=$(readlink /proc/$$/fd/${fd}); echo $x >&${fd === 1 ? 2 : 1}'`;
    for (const [fd, closed] of ["<&-", ">&-", "2>&-"].entries()) {
      const { stdout, stderr } = await shell(["sh", "-c", `${where(fd)} ${closed}`]);
      expect({ closed, where: stdout + stderr }).toEqual({ closed, where: "/dev/null\n" });
    }
    for (const closed of [">&-", "2>&-"])
      expect((await shell(["sh", "-c", `${RUN} -- sh -c 'echo x && echo y >&2' ${closed}`])).code).toBe(0);
    expect((await script(`${where(2)} 2>&-`)).stdout).toContain("/dev/null\r\n");
  });
  test("a reader of the output that goes away ends the command", async () => {
    const { stdout } = await shell(["bash", "-c", `${RUN} -t -- yes | head -n1; echo \${PIPESTATUS[0]}`]);
    expect(stdout).toBe("y\r\n129\n"); // SIGHUP, as when a line is cut
  });
  test("every byte passes a raw terminal unchanged, both ways", async () => {
    const bytes = new Uint8Array(new ArrayBuffer(300_000));
    for (let i = 0; i < bytes.length; i++) bytes[i] = (i * 167 + (i >> 8)) & 0xff;
    const child = Bun.spawn([...NSRUN, "run", "-t", "--", "sh", "-c", "stty raw -echo; echo ready; head -c 300000"], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    });
    const reader = child.stdout.getReader();
    let got = Buffer.alloc(0);
    const more = async () => {
      const { value, done } = await reader.read();
      if (value) got = Buffer.concat([got, value]);
      return !done;
    };
    while (!got.includes("ready")) await more();
    child.stdin.write(bytes);
    child.stdin.end();
    while (await more());
    expect(await child.exited).toBe(0);
    const data = got.subarray(got.indexOf("ready\n") + 6);
    expect(data.equals(bytes)).toBe(true);
  });
  test("output is there to the last byte, however late its reader", async () => {
    const { stdout } = await shell(["sh", "-c", `${RUN} -t -- seq 200000 | { sleep 1; tail -n1; }`]);
    expect(stdout).toBe("200000\r\n");
  });
});

describe.skipIf(reason !== undefined)("at a terminal", () => {
  test("a stream that leads elsewhere is left alone", async () => {
    using dir = temporary();
    const [out, err] = [dir.file("out"), dir.file("err")];
    expect((await script(`${RUN} -- sh -c 'tty; test -t 1 || echo plain; printf "a\\nb\\n"' >${out}`)).code).toBe(0);
    expect(readFileSync(out, "utf8")).toBe("/dev/pts/0\nplain\na\nb\n");
    expect((await script(`${RUN} -- sh -c 'test -t 1 && tty <&1; tty; printf "a\\n" >&2' </dev/null 2>${err}`)).stdout).toContain(
      "/dev/pts/0\r\nnot a tty\r\n",
    );
    expect(readFileSync(err, "utf8")).toBe("a\n");
  });
  test("-i alone hands the caller's terminal on; -it and -t do not", async () => {
    // the caller's is not in the container's devpts: a terminal without a name
    expect((await script(`${RUN} -i -- sh -c 'test -t 0 && echo terminal; ls /dev/pts'`)).stdout).toContain(
      "terminal\r\nptmx\r\n",
    );
    for (const flags of ["-it", "-t", "-i -t", "--tty --interactive"])
      expect((await script(`${RUN} ${flags} -- tty`)).stdout).toContain("/dev/pts/0\r\n");
  });
  test("in a pipeline the other programs' lines keep their line ends", async () => {
    // nsrun is in raw mode meanwhile: without OPOST the second line begins below the end of the first
    await using screen = await Screen.open();
    for (const flags of ["", "-t"]) {
      await screen.clear();
      await screen.type(`${RUN} ${flags} -- sh -c 'echo one; echo two; read x; echo three >&2' | tr o O`);
      await screen.shows(/^One\ntwO$/m);
      await screen.keys("Enter");
      await screen.shows(/^three$/m);
      await screen.prompt();
    }
  });
  test("the exit code is the command's", async () => {
    expect((await script(`${RUN} -- sh -c 'exit 9'`)).code).toBe(9);
  });
  test("TIOCSTI from inside types into the container's own terminal, not into the caller's", async () => {
    const inject = `perl -e 'for (split //, "echo inj; echo ected\\n") { ioctl(STDIN, 0x5412, $_) or die "refused" }'`;
    const programs = ["/usr", "/lib", "/lib64"].filter((path) => existsSync(path)).map((path) => `-v ${path}:${path}:ro`);
    // the terminal is what is tested here
    const able = `--seccomp none --cap-add sys_admin ${isRoot ? "--userns host --rootfs host" : programs.join(" ")}`;
    await using screen = await Screen.open();
    await screen.type(`${RUN} ${able} -- ${inject}; echo over`);
    await screen.shows(/^over$/m);
    await Bun.sleep(300);
    expect(await screen.text()).not.toMatch(/inj\nected|refused at/);
    // the same with the caller's own terminal: this is what is prevented. Without CAP_SYS_ADMIN outside the kernel refuses it
    await screen.prompt();
    await screen.clear();
    await screen.type(`${RUN} -i ${able} -- ${inject}; echo over`);
    await screen.shows(isRoot ? /inj\nected/ : /refused at/);
  });
  test("-t where devpts cannot be mounted: one line, 125, nothing left", async () => {
    const before = await snapshot();
    // a kernel without it: no other mount has just these flags, MS_NOSUID|MS_NOEXEC
    const deny = [process.execPath, `${import.meta.dir}/deny.ts`, "mount", "ENODEV", "3=10", "--"];
    const { code, stdout, stderr } = await shell([...deny, ...NSRUN, "run", ...TRACED, "-t", "--", "true"]);
    expect({ code, stdout }).toEqual({ code: 125, stdout: "" });
    expect(stderr).toMatch(/^nsrun: .*devpts.*ENODEV.*\nhint: this kernel has no file system devpts.*\n$/);
    expect(await snapshot()).toEqual(before);
  });
});
