/** Ended before there is a container: while an archive is unpacked, while a busybox is fetched. Nothing is left then, nobody runs on. */
import { describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { container, run } from "../../src/index.ts";
import { member, tar } from "../rootfs/tar-writer.ts";
import {
  CHECKOUT,
  canRun,
  eventually,
  isRoot,
  marked,
  marker,
  NSRUN,
  PROGRAM,
  shell,
  skipReason,
  smallRoot,
  type Temporary,
  TRACED,
  temporary,
  works,
} from "./helpers.ts";
import { strace } from "./strace.ts";
import { hasRanges } from "./user.ts";

const SIGNALS = { SIGTERM: 143, SIGINT: 130, SIGHUP: 129, SIGQUIT: 131 } as const;
/** Milliseconds from the wish to the end; it is some 50 on a free machine. */
const SOON = 1500;

const reason = skipReason("interrupted starts", [canRun]);

/** Takes a second or more to unpack. */
function archive(dir: Temporary): string {
  const path = dir.file("many.tar");
  writeFileSync(path, tar(...Array.from({ length: 40_000 }, (_, i) => member({ name: `d${i % 100}/f${i}`, data: "x" }))));
  return path;
}
/** What a cache holds besides the note of an archive's hash. */
const left = (cache: string): string[] =>
  existsSync(cache) ? readdirSync(cache).filter((name) => !name.startsWith("memo-")) : [];
const unfinished = (cache: string): string | undefined => left(cache).find((name) => name.startsWith("tmp-"));

function child(argv: readonly string[], env: Record<string, string>) {
  return Bun.spawn([...NSRUN, ...argv], { cwd: CHECKOUT, env: { ...process.env, ...env }, stdout: "pipe", stderr: "pipe" });
}

const traceReason = skipReason("syncfs, traced", [
  [works("strace", "-V"), "no strace"],
  [works("busybox", "true"), "no busybox"],
]);
/** As root owners are given at once, and files removed as any others. */
const rangeReason = skipReason("interrupted, with granted ids", [[!isRoot, "root needs no help with owners"], hasRanges]);
const rangeTest = (name: string, body: () => Promise<void>) => test.skipIf(rangeReason !== undefined)(name, body, 60_000);

describe.skipIf(reason !== undefined)("while an archive is unpacked", () => {
  for (const [signal, code] of Object.entries(SIGNALS)) {
    test(`${signal} ends nsrun at once, with 128+n, and the cache is as before`, async () => {
      using dir = temporary();
      const cache = dir.file("cache");
      const nsrun = child(["run", "--rootfs", archive(dir), "--", "true"], { NSRUN_CACHE: cache });
      await eventually("a part of the tree", () => existsSync(`${cache}/${unfinished(cache)}/d99`), 20_000);
      const begin = performance.now();
      nsrun.kill(signal as keyof typeof SIGNALS);
      expect(await nsrun.exited).toBe(code);
      expect(performance.now() - begin).toBeLessThan(SOON);
      expect(left(cache)).toEqual([]);
      expect(await nsrun.stderr.text()).toBe("");
    }, 60_000);
  }

  test("run() and container() heed their signal", async () => {
    using dir = temporary();
    const before = process.env.NSRUN_CACHE;
    process.env.NSRUN_CACHE = dir.file("cache");
    try {
      const rootfs = archive(dir);
      for (const start of [run.bind(undefined, ["true"]), container]) {
        const begin = performance.now();
        const error = await start({ rootfs, signal: AbortSignal.timeout(200) }).catch((error: unknown) => error);
        expect(error).toMatchObject({ name: "TimeoutError" });
        expect(performance.now() - begin).toBeLessThan(200 + SOON);
        expect(left(dir.file("cache"))).toEqual([]);
      }
    } finally {
      if (before === undefined) delete process.env.NSRUN_CACHE;
      else process.env.NSRUN_CACHE = before;
    }
  }, 60_000);

  rangeTest("also where its owners are given, and it is removed, in a user namespace", async () => {
    using dir = temporary();
    const cache = dir.file("cache");
    const rootfs = dir.file("owned.tar");
    const files = Array.from({ length: 12_000 }, (_, i) => member({ name: `d${i % 100}/f${i}`, uid: 5, gid: 6 }));
    writeFileSync(rootfs, tar(...files));
    const env = { NSRUN_CACHE: cache };
    // the last ones come when a child works for us, on a machine as fast as ours
    for (const ms of [300, 600, 900, 1200]) {
      const nsrun = child(["run", "--rootfs", rootfs, "--", "true"], env);
      await eventually("a part of the tree", () => unfinished(cache), 20_000);
      await Bun.sleep(ms);
      const whole = left(cache).some((name) => name.startsWith("rootfs-"));
      nsrun.kill("SIGTERM");
      await nsrun.exited;
      if (!whole && !left(cache).some((name) => name.startsWith("rootfs-"))) expect(left(cache)).toEqual([]);
      expect(left(cache).filter((name) => /^(tmp|lock)-/.test(name))).toEqual([]);
      await shell(["unshare", "-U", "--map-auto", "-r", "rm", "-rf", cache]);
    }
  });

  test.skipIf(traceReason !== undefined)(
    "the file system is written to disk by another process, before the tree has its name",
    async () => {
      using dir = temporary();
      await smallRoot(dir.file("tree"));
      await shell(["tar", "-C", dir.file("tree"), "-cf", dir.file("root.tar"), "."]);
      const env = { NSRUN_CACHE: dir.file("cache") };
      const words = [...NSRUN, "run", ...TRACED, "--rootfs", dir.file("root.tar"), "--", "true"];
      const { first, calls } = await strace(words, dir, env);
      const makers = [...calls].filter(([, made]) => made.some(({ name }) => name === "syncfs"));
      expect(makers).toHaveLength(1);
      expect(makers[0]![0]).not.toBe(first);
      expect(makers[0]![1].find(({ name }) => name === "syncfs")?.result).toBe("0");
      const order = readFileSync(dir.file("strace"), "utf8");
      const [written = -1, named = -1] = [/^\d+ +(<\.\.\. )?syncfs.*= 0$/m, /^\d+ +renameat2\(\d+, "tmp-/m].map((line) =>
        order.search(line),
      );
      expect(written).toBeGreaterThan(0);
      expect(written).toBeLessThan(named);
    },
    30_000,
  );
});

/** A PATH with a package manager that never comes to an end. It and what it has started have `mark` among their arguments. */
function slowManager(dir: Temporary, mark: string): Record<string, string> {
  const bin = dir.file("bin");
  mkdirSync(bin);
  const endless = `/bin/sh -c 'read _; : ${mark}' <>${dir.file("fifo")}`;
  writeFileSync(`${bin}/apt-get`, `#!/bin/sh\n${endless} &\nexec ${endless}\n`);
  writeFileSync(`${bin}/dpkg-deb`, "");
  for (const name of ["apt-get", "dpkg-deb"]) chmodSync(`${bin}/${name}`, 0o755);
  const setpriv = Bun.which("setpriv");
  if (setpriv) symlinkSync(setpriv, `${bin}/setpriv`);
  return { PATH: bin, NSRUN_CACHE: dir.file("cache"), NSRUN_BUSYBOX: "" };
}

const fetchReason = skipReason("a busybox that is fetched", [
  canRun,
  [PROGRAM === undefined, "the executable has its own busybox"],
]);
const guardReason = skipReason("a package manager and kill -9", [
  [works("setpriv", "--pdeathsig", "TERM", "true"), "no setpriv of util-linux"],
]);

describe.skipIf(fetchReason !== undefined)("while a busybox is fetched", () => {
  const fetching = async (dir: Temporary, mark: string) => {
    await shell(["mkfifo", dir.file("fifo")]);
    const nsrun = child(["run", "--", "true"], slowManager(dir, mark));
    await eventually("the package manager", () => marked(mark).length === 2, 20_000);
    const end = () => {
      for (const pid of marked(mark)) process.kill(pid, "SIGKILL");
    };
    return { nsrun, [Symbol.dispose]: end };
  };

  for (const [signal, code] of Object.entries(SIGNALS)) {
    test(`${signal} ends the package manager with all that it has started, and nothing is left`, async () => {
      using dir = temporary();
      const mark = marker();
      using held = await fetching(dir, mark);
      const { nsrun } = held;
      nsrun.kill(signal as keyof typeof SIGNALS);
      expect(await nsrun.exited).toBe(code);
      await eventually("its end", () => marked(mark).length === 0, 1000);
      expect(left(dir.file("cache"))).toEqual([]);
      expect(await nsrun.stderr.text()).toContain("nsrun: fetching busybox-static with apt-get (once; nothing is installed)\n");
    }, 30_000);
  }

  test.skipIf(guardReason !== undefined)(
    "a package manager does not outlive an nsrun that was killed",
    async () => {
      using dir = temporary();
      const mark = marker();
      using held = await fetching(dir, mark);
      const { nsrun } = held;
      nsrun.kill("SIGKILL");
      await nsrun.exited;
      // a process that it has started, and that has no word with it, is left
      await eventually("its end", () => marked(mark).length <= 1, 1000);
    },
    30_000,
  );
});
