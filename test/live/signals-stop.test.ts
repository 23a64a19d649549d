/** Being asked to end, once, twice and in storms; what a command inherits of its caller's signals; who pid 1 is. */
import { describe, expect, test } from "bun:test";
import { closeSync, openSync, readFileSync } from "node:fs";
import {
  canRun,
  eventually,
  hold,
  inside,
  marked,
  marker,
  NSRUN,
  nsrun,
  processes,
  shell,
  skipReason,
  temporary,
} from "./helpers.ts";

const reason = skipReason("stopping", [canRun]);
/** Does not end by itself: its background child neither. */
const STUBBORN = "trap '' TERM HUP INT; sleep 600 & echo ready; while :; do read _ || sleep 600; done";

describe.skipIf(reason !== undefined)("--stop-timeout", () => {
  for (const signal of ["SIGTERM", "SIGHUP"] as const) {
    test(`after ${signal} and the timeout the whole tree is killed: 137`, async () => {
      await using held = await hold(["--stop-timeout", "0.5"], STUBBORN);
      const begin = performance.now();
      held.child.kill(signal);
      expect((await held.finished()).code).toBe(137);
      expect(performance.now() - begin).toBeGreaterThan(450);
    });
  }
  test("0 is at once; a command that ends in time keeps its exit code", async () => {
    await using now = await hold(["--stop-timeout", "0"], STUBBORN);
    now.child.kill("SIGTERM");
    expect((await now.finished()).code).toBe(137);
    await using polite = await hold(
      ["--stop-timeout", "5"],
      "trap 'sleep 0.3; exit 4' TERM; echo ready; while :; do read _ || sleep 0.1; done",
    );
    polite.child.kill("SIGTERM");
    expect((await polite.finished()).code).toBe(4);
  });
  test("nonsense is one line", async () => {
    for (const value of ["-1", "x", "", " ", "1e9", "NaN", "0x10", " 5", "5s", "1e3", "Infinity", "2000000"]) {
      const { code, stderr } = await nsrun([`--stop-timeout=${value}`, "--", "true"]);
      expect({ code, stderr }).toEqual({ code: 125, stderr: `nsrun: --stop-timeout ${value}: expected seconds, 0 to 1000000\n` });
    }
  });
});

describe.skipIf(reason !== undefined)("SIGINT", () => {
  test("once is the command's business, twice ends it at once", async () => {
    await using held = await hold([], STUBBORN);
    held.child.kill("SIGINT");
    await Bun.sleep(300);
    expect(held.child.exitCode).toBeNull();
    const begin = performance.now();
    held.child.kill("SIGINT");
    expect((await held.finished()).code).toBe(137);
    expect(performance.now() - begin).toBeLessThan(1000);
  });
});

describe.skipIf(reason !== undefined)("a terminal that takes no more output", () => {
  for (const [what, signals] of [
    ["SIGTERM and the timeout", ["SIGTERM"]],
    ["a second SIGINT", ["SIGINT", "SIGINT"]],
  ] as const)
    test(`does not keep nsrun from ending by ${what}`, async () => {
      const mark = marker();
      using dir = temporary();
      expect((await shell(["mkfifo", dir.file("fifo")])).code).toBe(0);
      const fifo = openSync(dir.file("fifo"), "r+"); // nobody reads it
      const run = `${NSRUN.join(" ")} run --stop-timeout 0.5 -- yes ${mark}`;
      const script = Bun.spawn(["script", "-qec", run, "/dev/null"], { stdio: ["ignore", fifo, "ignore"] });
      const find = (start: string) => () => [...processes()].find(([, a]) => a.startsWith(start) && a.endsWith(mark))?.[0];
      try {
        const supervisor = await eventually("nsrun", find(NSRUN.join(" ")));
        const yes = await eventually("the command", find("yes "));
        let calm = 0; // looks in a row at which it slept: it writes no more
        const sleeps = () => /^State:\tS/m.test(readFileSync(`/proc/${yes}/status`, "utf8"));
        await eventually("a full terminal", () => {
          calm = sleeps() ? calm + 1 : 0;
          return calm > 20;
        });
        for (const signal of signals) {
          process.kill(supervisor, signal);
          await Bun.sleep(100);
        }
        await eventually("its end", () => find(NSRUN.join(" "))() === undefined, 2000);
      } finally {
        script.kill("SIGKILL");
        closeSync(fifo);
        await eventually("the end of all", () => marked(mark).length === 0);
      }
    });
});

describe.skipIf(reason !== undefined)("a storm of signals", () => {
  test("WINCH, CONT, STOP and TERM by the thousand change nothing about the exit code", async () => {
    await using held = await hold([], "trap '' TERM; echo ready; read _; exit 7");
    for (let i = 0; i < 1000; i++)
      for (const signal of ["SIGWINCH", "SIGSTOP", "SIGTERM", "SIGCONT"] as const) held.child.kill(signal);
    held.child.stdin.write("go\n");
    held.child.stdin.end();
    expect(await held.finished()).toEqual({ code: 7, stdout: "", stderr: "" });
  });
});

describe.skipIf(reason !== undefined)("in a pipeline", () => {
  test("a command whose reader has gone dies of SIGPIPE: 141", async () => {
    const { stdout } = await shell(["bash", "-c", `${NSRUN.join(" ")} run -- yes | head -n1; echo \${PIPESTATUS[0]}`]);
    expect(stdout).toBe("y\n141\n");
  });
  test("what nsrun's caller ignored and blocked is not ignored and blocked in the command", async () => {
    const perl = `use POSIX; sigprocmask(SIG_BLOCK, POSIX::SigSet->new(SIGUSR1, SIGTERM)); exec @ARGV`;
    const { stdout } = await shell([
      ...["env", "--ignore-signal=PIPE", "--ignore-signal=CHLD", "--ignore-signal=INT", "perl", "-e", perl],
      ...[...NSRUN, "run", "--", "grep", "-E", "^Sig(Ign|Blk)", "/proc/self/status"],
    ]);
    expect(stdout).toBe("SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
  });
});

describe.skipIf(reason !== undefined)("pid 1", () => {
  test("is nsrun-init, below 64 kB, and nothing of Bun's", async () => {
    await using held = await hold([], "echo ready; read _ || :");
    const init = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${held.pid}/status`, "utf8"))?.[1]);
    const status = readFileSync(`/proc/${init}/status`, "utf8");
    expect(status).toMatch(/^Name:\tnsrun-init$/m);
    expect(status).toMatch(/^NSpid:\t\d+\t1$/m);
    expect(Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1])).toBeLessThan(64);
    const maps = readFileSync(`/proc/${init}/maps`, "utf8");
    expect(maps).not.toMatch(/bun|libc/);
    expect(maps.split("\n").filter((line) => line.includes("memfd:nsrun")).length).toBeGreaterThan(0);
  });
  test("without init it is the command: as the article has it, and as bare nsrun does", async () => {
    expect(await inside(["--no-init"], "echo $$; ps -o pid,comm | grep -c nsrun-init || :")).toBe("1\n0");
    const bare = await shell([...NSRUN], { stdin: "echo $$; exit 0\n" });
    expect(bare.stdout).toBe("1\n");
  });
});

describe.skipIf(reason !== undefined)("run() in a Worker", () => {
  const source = (mark: string) => `
    import { run } from "${new URL("../../src/index.ts", import.meta.url).pathname}";
    run(["sh", "-c", "echo up >&2; sleep 600 & setsid sleep 600; :", "${mark}"], { stderr: "inherit" }).catch(() => {});`;
  for (const [name, end] of [
    ["that is terminated", "worker.terminate(); setInterval(() => {}, 1000)"],
    ["whose process is killed", "process.kill(process.pid, 'SIGKILL')"],
  ] as const) {
    test(`${name}: the container goes with it`, async () => {
      const mark = marker();
      using dir = temporary();
      await Bun.write(dir.file("worker.ts"), source(mark));
      await Bun.write(
        dir.file("main.ts"),
        `const worker = new Worker("${dir.file("worker.ts")}"); await Bun.stdin.text(); ${end};`,
      );
      await using child = Bun.spawn([process.execPath, dir.file("main.ts")], { stdin: "pipe", stdout: "ignore", stderr: "pipe" });
      const { value } = await child.stderr.getReader().read();
      expect(new TextDecoder().decode(value)).toBe("up\n");
      expect(marked(mark).length).toBeGreaterThan(0);
      child.stdin.end();
      await eventually("its end", () => marked(mark).length === 0, 3000);
    });
  }
});
