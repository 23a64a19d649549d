/** The library: run, start, container, plan; results, signals, errors, and an event loop that is never blocked. */
import { describe, expect, test } from "bun:test";
import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";
import { container, NsrunError, plan, type RunOptions, run, StepError, start, UsageError } from "../../src/index.ts";
import { canRun, eventually, isRoot, marked, marker, namespacesOf, PATIENCE, skipReason } from "./helpers.ts";

const reason = skipReason("the library", [canRun]);
/** How many descriptors this process may have: Bun has raised the soft limit to the hard one. */
const reach = Number(/^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1] ?? 0);
if (reach < 1200) console.log("skip: more than 1200 open files are not allowed here");
const fds = () => readdirSync("/proc/self/fd").length;
const status = (pid: number) => {
  try {
    return /^State:\s+(\w)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  } catch {
    return undefined;
  }
};

describe.skipIf(reason !== undefined)("run", () => {
  test("gives code, signal, both outputs and the times", async () => {
    const { timings, ...result } = await run(["sh", "-c", "echo out; echo err >&2; exit 3"]);
    expect(result).toEqual({ code: 3, signal: null, stdout: "out\n", stderr: "err\n" });
    const { prepared, started, released, ended } = timings;
    expect([prepared, started, released, ended]).toEqual([prepared, started, released, ended].sort((a, b) => a - b));
    expect(prepared).toBeGreaterThan(0);
  });
  test("takes a string as a shell's, and says which signal", async () => {
    expect(await run("echo $0; kill -9 $$")).toMatchObject({ code: 137, signal: "SIGKILL", stdout: "/bin/sh\n" });
  });
  for (const [what, command, options] of [
    ["the command", ["echo", "a\0b"], {}],
    ["hostname", ["true"], { hostname: "a\0b" }],
    ["volume", ["true"], { volume: ["/etc:/mnt", "/etc\0:/srv"] }],
    ['--env "A=b\\u0000c"', ["true"], { env: { A: "b\0c" } }],
  ] as const)
    test(`refuses NUL in ${what}: no call gets less than what was given`, async () => {
      const error = await run([...command], options as RunOptions).catch((error: unknown) => error);
      expect(error).toBeInstanceOf(UsageError);
      expect((error as Error).message).toStartWith(`${what}${what.startsWith("--") ? ": expected" : " cannot hold a NUL byte"}`);
    });
  for (const [what, call, message, hint] of [
    [
      "a name that is not there",
      () => run(["true"], { hostnme: "x" } as object),
      "unknown option hostnme",
      "did you mean hostname?",
    ],
    ["a name of Object's own", () => run(["true"], { toString: "x" } as object), "unknown option toString", undefined],
    ["one of another call", () => container({ stdin: "inherit" } as object), "unknown option stdin", undefined],
    [
      "a string for a list",
      () => run(["true"], { volume: "a:/b" } as object),
      "volume: expected a list of strings, not a string",
      undefined,
    ],
    [
      "a list of numbers",
      () => plan(["true"], { ulimit: [1] } as object),
      "ulimit: expected a list of strings, not a list of other things",
      undefined,
    ],
    ["null", () => run(["true"], { hostname: null } as object), "hostname: expected a string, not null", undefined],
    ["a string for a switch", () => run(["true"], { rw: "no" } as object), "rw: expected true or false, not a string", undefined],
    [
      "an object for bytes",
      () => run(["true"], { input: {} } as object),
      "input: expected a string or a Uint8Array, not an object",
      undefined,
    ],
    ["no object", () => run(["true"], "x" as never), "the options: expected an object, not a string", undefined],
    [
      "a variable without a value",
      () => run(["true"], { env: { A: undefined } } as never),
      "env: the value of A is no string",
      undefined,
    ],
    [
      "a word for a stream",
      () => run(["true"], { stdin: "no" } as never),
      "stdin no: expected one of inherit ignore pipe",
      undefined,
    ],
    [
      "no command",
      () => run(undefined as unknown as string),
      "the command: expected a list of strings, not undefined",
      undefined,
    ],
    [
      "a command of numbers",
      () => start([1] as unknown as string[]),
      "the command: expected a list of strings, not a list of other things",
      undefined,
    ],
  ] as const)
    test(`refuses ${what}, by name`, async () => {
      const error = await Promise.resolve(call()).catch((error: unknown) => error);
      expect(error).toBeInstanceOf(UsageError);
      expect(error).toMatchObject({ message, hint });
    });
  test("refuses what a joining command does not know", async () => {
    await using box = await container();
    const error = await box.exec("true", { hostname: "x" } as object).catch((error: unknown) => error);
    expect(error).toMatchObject({ name: "UsageError", message: "unknown option hostname" });
  });
  test("collects a megabyte of both at once, and reads nothing from stdin", async () => {
    const result = await run("head -c 1000000 /dev/zero | tr '\\0' a; head -c 1000000 /dev/zero | tr '\\0' b >&2; cat");
    expect([result.stdout.length, result.stderr.length]).toEqual([1_000_000, 1_000_000]);
  });
  test("twenty at the same time, each with its own output", async () => {
    const results = await Promise.all(Array.from({ length: 20 }, (_, i) => run(["sh", "-c", `echo ${i}; exit ${i}`])));
    expect(results.map((r) => [r.code, r.stdout])).toEqual(results.map((_, i) => [i, `${i}\n`]));
  });
  test.skipIf(reach < 1200)("by a program that has more descriptors than the command may have", async () => {
    const many = Array.from({ length: 1100 }, () => openSync("/dev/null", "r"));
    try {
      expect((await run(["sh", "-c", "ulimit -n; ls /proc/self/fd | wc -l"])).stdout).toBe("1024\n4\n");
      await using box = await container({});
      expect((await box.exec(["sh", "-c", "ulimit -n"])).stdout).toBe("1024\n");
    } finally {
      for (const fd of many) closeSync(fd);
    }
  });

  test("leaves no descriptor open after many runs, good and bad", async () => {
    await run(["true"]);
    const before = fds();
    for (let i = 0; i < 20; i++) {
      await run(["true"]);
      await run(["no-such-command"]).catch(() => {});
      await run(["true"], { rootfs: "/nope" }).catch(() => {});
      await run(["true"], { cwd: "/nope" }).catch(() => {});
      await run(["true"], { mount: ["type=bogus,dst=/x"] }).catch(() => {});
      await run(["true"], { join: ["net=/nope"] }).catch(() => {});
      await run(["true"], { volume: ["/etc:/proc/1/root/x"] }).catch(() => {});
      await run("").catch(() => {});
    }
    await eventually("the descriptors to be closed", () => fds() <= before);
    expect(fds()).toBeLessThanOrEqual(before);
  });
  test("never blocks the event loop for longer than a start", async () => {
    await run(["true"]);
    let last = performance.now();
    let gap = 0;
    const timer = setInterval(() => {
      gap = Math.max(gap, performance.now() - last);
      last = performance.now();
    }, 1);
    await Promise.all([1, 2, 3].map(() => run(["sleep", "0.2"])));
    clearInterval(timer);
    expect(gap).toBeLessThan(50 * PATIENCE);
  });
});

describe.skipIf(reason !== undefined)("start", () => {
  test("kill by name and by number, and an AbortSignal", async () => {
    for (const signal of ["SIGKILL", "KILL", 9]) {
      const running = await start(["sleep", "600"]);
      running.kill(signal);
      expect(await running.result).toMatchObject({ code: 137, signal: "SIGKILL" });
      await running.closed;
    }
  });
  test("an AbortSignal that fires at once, while the start is on its way, ends it", async () => {
    const abort = new AbortController();
    const aborted = run(["sleep", "3"], { signal: abort.signal });
    abort.abort();
    expect(await aborted).toMatchObject({ code: 137, signal: "SIGKILL" });
  });
  test("an AbortSignal that fires later ends it as well", async () => {
    expect(await run(["sleep", "3"], { signal: AbortSignal.timeout(100) })).toMatchObject({ code: 137, signal: "SIGKILL" });
  });
  test("input is what the command reads", async () => {
    expect(await run(["cat"], { input: "text\n" })).toMatchObject({ stdout: "text\n" });
  });
  test("an AbortSignal that has fired already ends it as well", async () => {
    const mark = marker();
    const result = await Promise.race([
      run(["sh", "-c", "sleep 3; exit 5", mark], { signal: AbortSignal.abort() }),
      Bun.sleep(2500),
    ]);
    expect(result).toMatchObject({ code: 137 });
  });
});

describe.skipIf(reason !== undefined)("container", () => {
  test("runs several commands in one world, and is gone with its block", async () => {
    let pid = 0;
    {
      await using box = await container({ name: "lab", hostname: "lab-host" });
      pid = box.pid;
      await box.exec("echo kept >/file; hostname elsewhere 2>/dev/null");
      const results = await Promise.all([
        box.exec(["cat", "/file"]),
        box.exec("hostname; exit 4"),
        box.exec(["pwd"], { cwd: "/etc" }),
      ]);
      expect(results.map((r) => [r.code, r.stdout])).toEqual([
        [0, "kept\n"],
        [4, expect.stringMatching(/^(lab-host|elsewhere)\n$/)],
        [0, "/etc\n"],
      ]);
      expect((await box.exec("env; id -u", { env: ["A=b"], user: "12:34" })).stdout).toMatch(/^A=b$[\s\S]*^12$/m);
      const seen = (await box.exec("readlink /proc/self/ns/net; readlink /proc/self/ns/mnt; readlink /proc/self/ns/pid")).stdout;
      const ns = namespacesOf(pid);
      expect(seen).toBe(`${ns.net}\n${ns.mnt}\n${ns.pid}\n`);
    }
    expect(status(pid)).toBeUndefined();
  });
  test("a user namespace, a chroot and a shared pid namespace can be exec'ed into as well", async () => {
    for (const options of [{ unshare: ["user"] }, { chroot: true }, { share: ["pid"] }, { net: "host" }]) {
      await using box = await container(options);
      expect(await box.exec("id -u; ls -d /applet /etc/passwd 2>/dev/null")).toMatchObject({ stdout: "0\n/etc/passwd\n" });
    }
  });
  test("an exec that cannot be: NsrunError with 126 or 127, and the container lives on", async () => {
    await using box = await container();
    const codes = await Promise.all(
      [["nope"], ["/etc/passwd"]].map((argv) => box.exec(argv).catch((e: NsrunError) => e.exitCode)),
    );
    expect(codes).toEqual([127, 126]);
    expect((await box.exec(["true"])).code).toBe(0);
  });
  test("an exec after the end is an NsrunError; exited says how it went", async () => {
    const box = await container();
    box.kill();
    expect(await box.exited).toEqual({ code: 137, signal: "SIGKILL" });
    await box[Symbol.asyncDispose]();
    await expect(box.exec(["true"])).rejects.toBeInstanceOf(NsrunError);
  });
  test("a running exec ends with the container", async () => {
    const box = await container();
    const exec = box.exec(["sleep", "600"]).catch((error: unknown) => error);
    await eventually("the command", () => box.pid > 0);
    await box[Symbol.asyncDispose]();
    const result = await exec;
    expect(result instanceof NsrunError || (result as { code: number }).code === 137).toBe(true);
  });
  test("made in a Worker that is terminated: it ends", async () => {
    const name = `worker-${process.pid}`;
    const index = new URL("../../src/index.ts", import.meta.url).href;
    const source = `import { container } from ${JSON.stringify(index)}; globalThis.box = await container({ name: ${JSON.stringify(name)} }); postMessage("up");`;
    const worker = new Worker(URL.createObjectURL(new Blob([source], { type: "application/typescript" })));
    await new Promise((up, fail) => {
      worker.onmessage = up;
      worker.onerror = fail;
    });
    expect(marked(name).length).toBeGreaterThan(0);
    worker.terminate();
    await eventually("the container's end", () => marked(name).length === 0);
  });
});

describe.skipIf(reason !== undefined)("streams", () => {
  const library = new URL("../../src/index.ts", import.meta.url).pathname;
  /** What a program that runs this with `options` has for stdin, stdout and stderr. */
  const shown = (options: string) => {
    const code = `import { writeSync } from "node:fs";
import { run } from ${JSON.stringify(library)};
const r = await run(["sh", "-c", "cat; echo OUT; echo ERR >&2"], ${options});
writeSync(3, JSON.stringify([r.stdout, r.stderr]));`;
    const stdio = [Buffer.from("IN\n"), "pipe", "pipe", "pipe"] as const;
    const child = Bun.spawn([process.execPath, "--config=/dev/null", "-e", code], { stdio: [...stdio] });
    const result = new Response(Bun.file(child.stdio[3] as number).stream()).json();
    return Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), result]);
  };
  test("by the numbers of the caller's own", async () => {
    expect(await shown("{ stdin: 0, stdout: 1, stderr: 2 }")).toEqual(["IN\nOUT\n", "ERR\n", ["", ""]]);
    expect(await shown("{ stdin: 0, stdout: 2, stderr: 1 }")).toEqual(["ERR\n", "IN\nOUT\n", ["", ""]]);
    expect(await shown("{ stderr: 1 }")).toEqual(["ERR\n", "", ["OUT\n", ""]]);
    expect(await shown('{ stdout: "ignore", stderr: 1 }')).toEqual(["ERR\n", "", ["", ""]]);
    expect(await shown("{ stdout: 2, stderr: 2 }")).toEqual(["", "OUT\nERR\n", ["", ""]]);
  });
  test("that cannot be leave nothing open", async () => {
    await run(["true"]);
    const before = fds();
    for (const options of [{ stdout: -1 }, { input: "x", stderr: -1 }, { stdout: 99_999 }, { stdin: 1.5 }])
      await expect(run(["true"], options)).rejects.toThrow(NsrunError);
    expect(fds()).toBe(before);
  });
  test("keep a byte order mark", async () => {
    expect((await run(["printf", "\\357\\273\\277hi"])).stdout).toBe("\ufeffhi");
  });
});

describe.skipIf(reason !== undefined)("exec checks as run does, and leaves nothing open when it refuses", () => {
  test("words, directory, environment, user", async () => {
    await using box = await container({});
    const before = fds();
    const refused = (command: string[], options: object, why: string) => expect(box.exec(command, options)).rejects.toThrow(why);
    await refused(["echo", "y\0"], {}, "the command cannot hold a NUL byte");
    await refused(["pwd"], { cwd: "/\0" }, "cwd cannot hold a NUL byte");
    await refused(["pwd"], { cwd: "tmp" }, "expected an absolute path");
    await refused(["env"], { env: ["=x"] }, "expected KEY=VALUE");
    await refused(["env"], { env: { "A=B": "1" } }, 'the name "A=B" has a = in it');
    await refused(["true"], { user: "nonono" }, "no user nonono");
    expect(fds()).toBe(before);
  });
  test("a signal that is none is refused", async () => {
    const running = await start(["sleep", "5"]);
    for (const name of ["toString", "__proto__", "SIGNO"]) expect(() => running.kill(name)).toThrow(UsageError);
    running.kill();
    expect((await running.result).signal).toBe("SIGTERM");
  });
});

describe.skipIf(reason !== undefined)("errors and plans", () => {
  test("are typed: StepError with its place, UsageError, NsrunError", async () => {
    const step = await run(["true"], { cwd: "/nope" }).catch((error: unknown) => error);
    expect(step).toBeInstanceOf(StepError);
    expect((step as StepError).place).toMatchObject({ label: "change to /nope", lane: "payload" });
    expect(step).toMatchObject({ code: "ENOENT", errno: 2, exitCode: 125, name: "StepError" });
    await expect(run(["true"], { rootfs: "/nope" })).rejects.toBeInstanceOf(UsageError);
    await expect(run(["nope"])).rejects.toMatchObject({ exitCode: 127, code: "ENOENT" });
    await expect(run([])).rejects.toBeInstanceOf(NsrunError);
    await expect(container({ share: ["bogus"] })).rejects.toBeInstanceOf(UsageError);
  });
  test("plan() touches nothing: no process, no descriptor, no mount", async () => {
    await plan(["true"]);
    const state = () => [
      fds(),
      readFileSync("/proc/self/mounts", "utf8"),
      readFileSync(`/proc/self/task/${process.pid}/children`, "utf8"),
    ];
    const before = state();
    const made = await plan(["true"], { net: isRoot ? "veth" : "none", volume: ["/etc:/x:ro"] });
    expect(state()).toEqual(before);
    expect(made.child.map((step) => step.call)).toEqual(expect.arrayContaining(["clone", "pivot_root", "execve"]));
  });
});
