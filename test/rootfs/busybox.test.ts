/** Which busybox is taken, and the root that is made of it. Package managers are played by scripts. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { NsrunError } from "../../src/errors.ts";
import { ARCH } from "../../src/ffi/abi.ts";
import { Fd } from "../../src/ffi/fd.ts";
import { O } from "../../src/ffi/flags.ts";
import { busyboxRoot, findBusybox } from "../../src/rootfs/busybox.ts";
import { elfKind, elfKindOf } from "../../src/rootfs/elf.ts";
import { appletsOf, populateBusyboxRoot } from "../../src/rootfs/skeleton.ts";
import { Place, tar } from "./tar-writer.ts";

const real = ["/bin/busybox", "/usr/bin/busybox"].find((path) => elfKindOf(path) === "static");
const needsBusybox = test.skipIf(real === undefined);
if (real === undefined) console.log("skipped: no static busybox on this machine (package busybox-static)");

const saved = { ...process.env };
let place: Place;
let bin: string;
let cache: string;
beforeEach(() => {
  place = new Place();
  bin = join(place.target, "path");
  cache = join(place.target, "cache");
  mkdirSync(bin);
  Object.assign(process.env, { PATH: bin, NSRUN_CACHE: cache });
  delete process.env.NSRUN_BUSYBOX;
});
afterEach(() => {
  for (const key of ["PATH", "NSRUN_CACHE", "NSRUN_BUSYBOX"]) {
    if (saved[key] === undefined) delete process.env[key];
    else process.env[key] = saved[key];
  }
  place[Symbol.dispose]();
});

function program(name: string, text: string): string {
  const path = join(bin, name);
  writeFileSync(path, text);
  chmodSync(path, 0o755);
  return path;
}
const caught = async (work: Promise<unknown>): Promise<NsrunError> =>
  (await work.then(
    () => new Error("no error"),
    (error: unknown) => error,
  )) as NsrunError;

describe("findBusybox", () => {
  test("one that was given must be a static program of this machine", async () => {
    const dynamic = join(place.target, "dynamic");
    copyFileSync(process.execPath, dynamic);
    const foreign = join(place.target, "foreign");
    const head = Buffer.from(readFileSync(process.execPath).subarray(0, 4096));
    head.writeUInt16LE(8, 18); // EM_MIPS
    writeFileSync(foreign, head, { mode: 0o755 });
    const plain = join(place.target, "plain");
    writeFileSync(plain, "x");
    const message = async (busybox: string) => (await caught(findBusybox({ busybox }))).message.replaceAll(place.target, "");
    expect(await message(join(place.target, "none"))).toBe("--busybox /none: ENOENT (no such file or directory)");
    expect(await message(place.target)).toBe("--busybox : not a regular file");
    expect(await message(dynamic)).toStartWith("--busybox /dynamic: dynamically linked");
    expect(await message(foreign)).toBe(`--busybox /foreign: a program for another machine (this is ${ARCH})`);
    expect(await message(plain)).toBe("--busybox /plain: EACCES (permission denied)");
    expect(await message(program("script", "#!/bin/sh\n"))).toBe("--busybox /path/script: not a program (ELF)");
    process.env.NSRUN_BUSYBOX = "/nonexistent";
    expect((await caught(findBusybox())).message).toBe("NSRUN_BUSYBOX /nonexistent: ENOENT (no such file or directory)");
  });

  needsBusybox("the order: given, the environment's, PATH, the cache", async () => {
    const origin = async () => (await findBusybox({ fetch: false })).origin;
    expect((await caught(origin())).hint).toBe("install the package busybox-static, or give --busybox FILE");
    mkdirSync(cache, { mode: 0o700 });
    copyFileSync(real ?? "", join(cache, `busybox-${ARCH}`));
    expect(await origin()).toBe("cache");
    chmodSync(cache, 0o777);
    expect((await caught(origin())).message).toContain("can be written by others");
    copyFileSync(process.execPath, join(bin, "busybox")); // dynamic: not taken
    copyFileSync(real ?? "", join(bin, "busybox.static"));
    expect(await findBusybox()).toMatchObject({ origin: "path", file: join(bin, "busybox.static") });
    process.env.NSRUN_BUSYBOX = real;
    expect(await findBusybox()).toMatchObject({ origin: "given", file: real });
    const other = join(place.target, "other");
    copyFileSync(real ?? "", other);
    expect(await findBusybox({ busybox: other })).toMatchObject({ origin: "given", file: other });
  });

  test("a PATH entry that is not absolute is never looked into", async () => {
    process.env.PATH = ".:bin:";
    expect((await caught(findBusybox({ fetch: false }))).message).toBe("no static busybox found");
  });
});

describe("fetched", () => {
  const said: string[] = [];
  const fetching = () => caught(findBusybox({ say: (text) => said.push(text) }));
  beforeEach(() => void said.splice(0));

  test("no package manager", async () => {
    expect(await fetching()).toMatchObject({
      message: "no static busybox found, and no package manager to fetch one with",
      hint: "install the package busybox-static, or give --busybox FILE",
    });
  });

  test("the package manager's refusal is one error, with what to do", async () => {
    program("apt-get", "#!/bin/sh\necho 'W: something' >&2; echo 'E: Unable to locate package busybox-static' >&2; exit 100\n");
    program("dpkg-deb", "#!/bin/sh\n");
    expect(await fetching()).toMatchObject({
      message: "no static busybox found, and fetching busybox-static failed: apt-get: Unable to locate package busybox-static",
      hint: "install the package busybox-static, or give --busybox FILE; apt may have no package lists yet: apt-get update",
    });
    expect(said).toEqual(["fetching busybox-static with apt-get (once; nothing is installed)"]);
    expect(readdirSync(cache)).toEqual([]);
  });

  test("what the package manager says on its way is passed on, line by line, and can do a terminal no harm", async () => {
    const script = `printf 'Get:1 busybox\\033[2J\\n\\n'; printf '10%%\\r50%%\\r100%%\\n'; printf 'no end'; echo 'E: no' >&2; exit 1`;
    program("apt-get", `#!/bin/sh\n${script}\n`);
    program("dpkg-deb", "#!/bin/sh\n");
    expect((await fetching()).message).toEndWith("failed: apt-get: no");
    expect(said.slice(1)).toEqual(["apt-get: Get:1 busybox\\x1b[2J", "apt-get: 100%", "apt-get: no end"]);
  });

  test("is passed on as it is said, not at the end; an AbortSignal ends it, and nothing is left", async () => {
    program("apt-get", "#!/bin/sh\necho 'Get:1'; trap '' TERM; while :; do /bin/sleep 0.1; done\n"); // the group gets SIGKILL
    program("dpkg-deb", "#!/bin/sh\n");
    const abort = new AbortController();
    const say = (text: string) => void (text === "apt-get: Get:1" && abort.abort());
    expect(await caught(findBusybox({ say, signal: abort.signal }))).toBe(abort.signal.reason);
    expect(readdirSync(cache)).toEqual([]);
  });

  needsBusybox("Debian's and Alpine's ways", async () => {
    const archive = join(place.target, "data.tar");
    writeFileSync(archive, tar({ name: "./usr/bin/busybox", mode: 0o755, data: readFileSync(real ?? "") }));
    for (const [name, script] of [
      ["apt-get", `#!/bin/sh\n[ "$*" = "-q download busybox-static" ] && : > busybox-static_1_amd64.deb\n`],
      ["dpkg-deb", `#!/bin/sh\nexec /bin/cat ${archive}\n`],
    ] as const) {
      program(name, script);
    }
    const found = await findBusybox({ say: (text) => said.push(text) });
    expect(found).toMatchObject({ origin: "fetched", file: join(cache, `busybox-${ARCH}`) });
    expect(readFileSync(found.file).equals(readFileSync(real ?? ""))).toBe(true);
    expect(readdirSync(cache)).toEqual([`busybox-${ARCH}`]);
    expect(await findBusybox()).toMatchObject({ origin: "cache", key: found.key });
    expect(said).toHaveLength(1);

    Bun.spawnSync(["/bin/rm", found.file, join(bin, "apt-get")]);
    program("apk", `#!/bin/sh\n[ "$2" = --output ] && exec /bin/cp ${archive} "$3/busybox-static-1.apk"\n`);
    expect(await findBusybox({ say: (text) => said.push(text) })).toMatchObject({ origin: "fetched" });
  });
});

describe("busyboxRoot", () => {
  needsBusybox("is laid out as people expect, once", async () => {
    const { dir } = await busyboxRoot({ busybox: real });
    expect(await busyboxRoot({ busybox: real })).toEqual({ dir });
    const mode = (path: string) => (statSync(join(dir, path)).mode & 0o7777).toString(8);
    expect(["", "tmp", "var/tmp", "root", "proc", "usr/bin", "bin/busybox", "etc/passwd"].map(mode)).toEqual([
      "755",
      "1777",
      "1777",
      "700",
      "555",
      "755",
      "755",
      "644",
    ]);
    expect(readlinkSync(join(dir, "bin/sh"))).toBe("busybox");
    expect(readlinkSync(join(dir, "usr/bin/awk"))).toBe("../../bin/busybox");
    expect(readlinkSync(join(dir, "var/run"))).toBe("../run");
    expect(readFileSync(join(dir, "etc/passwd"), "utf8")).toStartWith("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:");
    for (const path of [
      "sbin/init",
      "dev",
      "home",
      "lib",
      "mnt",
      "opt",
      "run",
      "sys",
      "var/log",
      "etc/hosts",
      "etc/resolv.conf",
    ]) {
      expect(existsSync(join(dir, path)), path).toBe(true);
    }
    const listed = Bun.spawnSync([real ?? "", "--list-full"])
      .stdout.toString()
      .trim()
      .split("\n");
    for (const applet of listed)
      expect(lstatSync(join(dir, applet)).isSymbolicLink() || applet === "bin/busybox", applet).toBe(true);
    expect(readdirSync(cache).filter((name) => !name.startsWith("use-"))).toHaveLength(1);
  });

  needsBusybox("an AbortSignal ends the building of it", async () => {
    for (const signal of [AbortSignal.abort(), AbortSignal.timeout(1)])
      expect(await caught(busyboxRoot({ busybox: real, signal }))).toBe(signal.reason);
    expect(readdirSync(cache)).toEqual([]);
  });

  needsBusybox("the umask does not matter", async () => {
    const before = process.umask(0o077);
    try {
      const { dir } = await busyboxRoot({ busybox: real });
      expect(statSync(join(dir, "usr/bin")).mode & 0o777).toBe(0o755);
      expect(statSync(join(dir, "bin/busybox")).mode & 0o777).toBe(0o755);
      expect(statSync(dir).mode & 0o777).toBe(0o755);
    } finally {
      process.umask(before);
    }
  });

  needsBusybox("another file at the same path is another root", async () => {
    const copy = join(place.target, "copy");
    copyFileSync(real ?? "", copy);
    const first = await busyboxRoot({ busybox: copy });
    writeFileSync(copy, Buffer.concat([readFileSync(copy), Buffer.from("\n")]));
    expect((await busyboxRoot({ busybox: copy })).dir).not.toBe(first.dir);
  });

  test("a static program that is no busybox leaves nothing", async () => {
    const head = Buffer.alloc(120); // a header with one segment that is no PT_INTERP, and no code
    head.write("\x7fELF\x02\x01\x01", 0, "latin1");
    head.writeUInt16LE(2, 16);
    head.writeUInt16LE(ARCH === "x64" ? 62 : 183, 18);
    head.writeBigUInt64LE(64n, 32);
    head.writeUInt16LE(56, 54);
    head.writeUInt16LE(1, 56);
    const fake = join(place.target, "fake");
    writeFileSync(fake, head, { mode: 0o755 });
    expect(elfKind(head)).toBe("static");
    expect((await caught(busyboxRoot({ busybox: fake }))).name).toBe("NsrunError");
    expect(readdirSync(cache)).toEqual([]);
  });

  needsBusybox("populate fills any empty directory", async () => {
    const image = readFileSync(real ?? "");
    const target = join(place.target, "fresh");
    mkdirSync(target);
    using root = Fd.from("open", "openat", -100, target, O.O_PATH | O.O_DIRECTORY | O.O_CLOEXEC, 0);
    await populateBusyboxRoot(root.number, real ?? "", appletsOf(image));
    expect(readdirSync(target).sort()).toEqual(readdirSync((await busyboxRoot({ busybox: real })).dir).sort());
  });
});
