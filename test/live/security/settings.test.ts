/** Nothing inside or beside a root configures nsrun (CVE-2026-40226), nor what lies where it is started. */
import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { canRun, MAIN, NSRUN, PROGRAM, shell, skipReason, smallRoot, type Temporary, temporary } from "../helpers.ts";

const reason = skipReason("settings beside the image", [canRun]);

const WISHES = {
  "config.json": JSON.stringify({
    ociVersion: "1.0.2",
    process: { capabilities: { bounding: ["CAP_SYS_ADMIN"] }, noNewPrivileges: false },
  }),
  "nsrun.json": JSON.stringify({ volume: ["/:/host"], seccomp: "none", userns: "host" }),
  ".nsrun": "--seccomp none\n",
  "nsrun.toml": 'seccomp = "none"\n',
  "root.nspawn": "[Exec]\nCapability=all\nPrivateUsers=no\n[Files]\nBind=/\n",
  "root.manifest": "{}",
  ".env": "NSRUN_BUSYBOX=/nope\nNSRUN_CACHE=/nope\nNSRUN_ROOT_RECIPE=paths\nTERM=evil\nLEAK=yes\n",
  ".containerenv": 'name="x"\n',
  "bunfig.toml": 'preload = ["./evil.ts"]\n[run]\npreload = ["./evil.ts"]\n[define]\n"process.env.TERM" = "\'evil\'"\n',
  "tsconfig.json": '{"compilerOptions":{"paths":{"commander":["./evil.ts"],"bun:ffi":["./evil.ts"]}}}',
  "package.json": '{"name":"x","type":"module","main":"evil.ts","nsrun":{"seccomp":"none"},"imports":{"#x":"./evil.ts"}}',
};

function fill(dir: string, pwned: string): void {
  mkdirSync(`${dir}/etc`, { recursive: true });
  for (const [name, text] of Object.entries(WISHES)) for (const at of [dir, `${dir}/etc`]) writeFileSync(`${at}/${name}`, text);
  const evil = `require("node:fs").writeFileSync(${JSON.stringify(pwned)}, "x"); console.log("EVIL");`;
  writeFileSync(`${dir}/evil.ts`, evil);
  mkdirSync(`${dir}/node_modules/commander`, { recursive: true });
  writeFileSync(`${dir}/node_modules/commander/index.js`, evil);
}

/** A small root; with `wishes`, settings of every kind in it, beside it, and all of them where nsrun is started. */
async function place(wishes: boolean): Promise<{ dir: Temporary; root: string }> {
  const dir = temporary();
  mkdirSync(dir.file("at"));
  const root = await smallRoot(dir.file("at/root"));
  if (wishes) for (const at of [root, dir.file("at")]) fill(at, dir.file("pwned"));
  return { dir, root };
}
/** The plan as JSON, and what a run says; without the place's own path, the range of ids and the cgroup's name. */
async function outcome(nsrun: readonly string[], wishes: boolean) {
  const { dir, root } = await place(wishes);
  using _ = dir;
  const at = (cwd: string, ...words: string[]) => shell([...nsrun, ...words], { cwd, env: { TERM: "dumb" } });
  const look = "env; cat /proc/self/status | grep -E '^(Cap|NoNew|Seccomp:)'; cat /proc/mounts | wc -l; id -u";
  const results = [];
  for (const cwd of [dir.file("at"), root])
    results.push(
      await at(cwd, "run", "--plan=json", "--rootfs", root, "--", "true"),
      await at(cwd, "run", "--rootfs", root, "-e", "LEAK", "--", "sh", "-c", look),
      await at(cwd, "--help"),
    );
  const text = JSON.stringify(results).replaceAll(dir.path, "DIR");
  return { text: text.replace(/\b\d{6}\b|nsrun-\d+-\d+/g, "N"), pwned: existsSync(dir.file("pwned")) };
}

/** Where two long texts begin to differ. */
function difference(a: string, b: string): [string, string] {
  const at = [...a].findIndex((char, i) => char !== b[i]);
  return a === b ? ["", ""] : [a.slice(Math.max(0, at - 80), at + 80), b.slice(Math.max(0, at - 80), at + 80)];
}

describe.skipIf(reason !== undefined)("settings beside the image", () => {
  test("settings beside the image (CVE-2026-40226): what lies in a root, beside it, or where nsrun is started changes nothing", async () => {
    const [plain, hostile] = [await outcome(NSRUN, false), await outcome(NSRUN, true)];
    expect([plain.text.includes("container=nsrun"), hostile.pwned]).toEqual([true, false]);
    expect(difference(hostile.text, plain.text)).toEqual(["", ""]);
  });
  const control = "control: settings beside the image: without --config=/dev/null and --no-env-file";
  if (PROGRAM !== undefined) console.log(`skip: ${control}: nothing can be switched off in ${PROGRAM}`);
  test.skipIf(PROGRAM !== undefined)(control, async () => {
    expect((await outcome([process.execPath, "--no-env-file", MAIN], true)).pwned).toBe(true);
    const { text } = await outcome([process.execPath, "--config=/dev/null", MAIN], true);
    expect(text.includes("LEAK=yes")).toBe(true);
  });
  test.skipIf(PROGRAM !== undefined)("nsrun's first line starts it so", async () => {
    expect((await Bun.file(MAIN).text()).split("\n")[0]).toBe("#!/usr/bin/env -S bun --config=/dev/null --no-env-file");
  });
});
