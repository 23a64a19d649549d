/** dist/nsrun in a root that holds only glibc, /proc and the file; and what it must not read where it is started. */
import { describe, expect, test } from "bun:test";
import { copyFileSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { asRoot, COMPILED, HOST_SAID, isRoot, shell, skipReason, temporary, works } from "./helpers.ts";
import { kernelCan, MAPPED_TMPFS } from "./kernel.ts";

/** In a chroot the kernel makes no user namespace: an ordinary user is root of one already. */
const BARE = isRoot ? ["unshare", "-m"] : ["unshare", "-Urmnpf", "--mount-proc"];
/** Nor does it let him make device nodes: the machine's are there. */
const DEV = isRoot ? "" : "mkdir $R/dev; mount --rbind /dev $R/dev;";

const reason = skipReason("the compiled file", [
  [existsSync(COMPILED), "dist/nsrun is missing: bun run build"],
  [works(...BARE, "true"), `${BARE.join(" ")} does not work here`],
]);

/** The libraries that the file asks for, by ldd's word, and the loader. */
async function libraries(): Promise<string[]> {
  const { stdout } = await shell(["ldd", COMPILED]);
  return stdout.split("\n").flatMap((line) => /(?:=> )?(\/\S+) \(/.exec(line)?.[1] ?? []);
}

/**
 * Runs `nsrun ARGS` with a bare, read-only tmpfs as the root of a mount namespace, or only chrooted into it. `extra` prepares
 * the root (R) before it is made read-only.
 */
async function bare(args: string, extra = "", env = "", enter = isRoot ? "mount --move . /" : ":") {
  using dir = temporary();
  const copies = (await libraries()).map((file) => `mkdir -p $R${dirname(file)}; cp -L ${file} $R${file}`).join("; ");
  const script = `R=${dir.path}; mount -t tmpfs -o size=300m,mode=755 bare $R; ${copies}; mkdir $R/proc; ${DEV} cp ${COMPILED} $R/nsrun; ${extra}
    mount -t proc proc $R/proc; mount -o remount,bind,ro $R; cd $R; ${enter}; exec env -i ${env} ${Bun.which("chroot")} . /nsrun ${args}`;
  return await shell([...BARE, "sh", "-c", script]);
}

const unmapped =
  reason ?? (isRoot && !(await kernelCan(MAPPED_TMPFS)) ? "tmpfs cannot map owners here: --userns host" : undefined);
if (unmapped !== undefined) console.log(`skip: the executable on a tmpfs alone, with a user namespace: ${unmapped}`);

describe.skipIf(unmapped !== undefined)("in a bare root, read-only, without /tmp", () => {
  test("runs a command in its embedded busybox", async () => {
    expect(await bare("run -- sh -c 'echo $$; hostname; ls /bin/sh; exit 7'")).toEqual({
      code: 7,
      stdout: "2\nnsrun\n/bin/sh\n",
      stderr: "",
    });
  });
  test("is the article's container when started bare: a veth pair that answers", async () => {
    const { code, stdout, stderr } = await bare("</dev/null", isRoot ? "mkdir $R/dev; : >$R/dev/null" : "");
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: "", stderr: "" });
  });
  test("says one line when something is wrong", async () => {
    expect(await bare("run -- nope")).toMatchObject({
      code: 127,
      stdout: "",
      stderr: expect.stringMatching(/^nsrun: cannot execute "nope".*\nhint: .*\n$/),
    });
  });
  asRoot("an ordinary user is root of a user namespace there")(
    "in a chroot, where the kernel refuses user namespaces, it names the option that does without",
    async () => {
      expect(await bare("run -- true", "", "", ":")).toMatchObject({
        code: 125,
        stderr: expect.stringMatching(/clone the container: EPERM.*\nhint: .*chroot.*--userns host.*\n$/),
      });
      expect(await bare("run --userns host -- true", "", "", ":")).toEqual({ code: 0, stdout: "", stderr: HOST_SAID });
      // started bare it is the article's container, which has none, and says so in its first line
      const said = await bare("</dev/null", "mkdir $R/dev; : >$R/dev/null", "", ":");
      expect(said).toEqual({
        code: 0,
        stdout: "",
        stderr: expect.stringMatching(/^nsrun: no user namespace here, .*--userns host.*\n$/),
      });
    },
  );
  test("prints its help and its version", async () => {
    expect((await bare("--help")).stdout).toContain("Usage: nsrun");
    expect((await bare("--version")).stdout).toMatch(/^nsrun \d+\.\d+\.\d+ \(bun 1\.4\.5, linux /);
  });
  test("uses a cache when it is given one", async () => {
    expect(await bare("run -- echo cached", "mkdir -m 700 $R/c; mount -t tmpfs -o mode=700 c $R/c", "NSRUN_CACHE=/c")).toEqual({
      code: 0,
      stdout: "cached\n",
      stderr: "",
    });
  });
});

describe.skipIf(reason !== undefined)("what the tests switch off", () => {
  test("is in no compiled file: neither their switch nor a weaker text", async () => {
    const file = await Bun.file(COMPILED).bytes();
    const holds = (text: string) => Buffer.from(file.buffer).includes(text);
    expect(["NSRUN_TEST_", "weaken.ts", "weaker.ts"].filter(holds)).toEqual([]);
    expect(holds("not to be traced")).toBe(true); // or nothing could be found in it
  });
});

describe.skipIf(reason !== undefined)("started in a directory of somebody else", () => {
  test("neither bunfig.toml, .env, package.json nor tsconfig.json there has any effect", async () => {
    using dir = temporary();
    mkdirSync(dir.file("node_modules/commander"), { recursive: true });
    const evil = `require("node:fs").writeFileSync(${JSON.stringify(dir.file("pwned"))}, "x"); console.log("EVIL");`;
    writeFileSync(dir.file("evil.ts"), evil);
    writeFileSync(dir.file("bunfig.toml"), 'preload = ["./evil.ts"]\n[run]\npreload = ["./evil.ts"]\n');
    writeFileSync(dir.file(".env"), "NSRUN_BUSYBOX=/nope\nNSRUN_CACHE=/nope\nTERM=evil\nLEAK=yes\n");
    writeFileSync(dir.file("package.json"), '{"name":"x","main":"evil.ts","imports":{"#x":"./evil.ts"}}');
    writeFileSync(dir.file("tsconfig.json"), '{"compilerOptions":{"paths":{"commander":["./evil.ts"]}}}');
    writeFileSync(dir.file("node_modules/commander/index.js"), evil);
    copyFileSync(COMPILED, dir.file("nsrun"));
    await shell(["chmod", "755", dir.file("nsrun")]);
    const ran = await shell([dir.file("nsrun"), "run", "-e", "LEAK", "--", "sh", "-c", "echo $LEAK $TERM"], {
      cwd: dir.path,
      env: { TERM: "dumb" },
    });
    expect(ran).toEqual({ code: 0, stdout: "dumb\n", stderr: "" });
    const help = await shell([dir.file("nsrun"), "--help"], { cwd: dir.path });
    expect({ code: help.code, evil: help.stdout.includes("EVIL") }).toEqual({ code: 0, evil: false });
    expect(readdirSync(dir.path)).not.toContain("pwned");
  });
  test("BUN_OPTIONS, BUN_BE_BUN and NODE_OPTIONS do not make it another program", async () => {
    for (const env of [{ BUN_OPTIONS: "--print 1" }, { NODE_OPTIONS: "--require /nope.js" }]) {
      expect(await shell([COMPILED, "run", "--", "echo", "ok"], { env })).toEqual({ code: 0, stdout: "ok\n", stderr: "" });
    }
  });
});
