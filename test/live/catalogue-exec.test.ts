/** Why a command that is there cannot be executed: each cause made for real, on a volume of the container. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, closeSync, copyFileSync, mkdirSync, openSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { canRun, nsrun, skipReason, type Temporary, temporary } from "./helpers.ts";

const busybox = Bun.which("busybox");
const reason = skipReason("commands that cannot be executed", [canRun, [busybox !== null, "no busybox on PATH"]]);
let dir: Temporary;
let writer = -1;

/** Command in the volume /v: [options besides, exit code, errno, hint]. */
const CASES: Record<string, [string[], number, RegExp, RegExp]> = {
  "/v/plain": [[], 126, /EACCES/, /may not be executed by anybody: chmod \+x \/.*plain$/],
  "/etc/passwd": [[], 126, /EACCES/, /may not be executed by anybody$/], // in the cache, which is not to be changed
  "/plain": [["--rootfs", "DIR"], 126, /EACCES/, /may not be executed by anybody: chmod \+x \/.*plain$/],
  "/v/directory": [[], 126, /EACCES/, /is a directory$/],
  "/n/program": [["-v", "DIR:/n:noexec"], 126, /EACCES/, /may be executed, but not there.*noexec/],
  "/v/busy": [[], 126, /ETXTBSY/, /has \/v\/busy open for writing: fuser -v \/.*busy$/],
  "/v/circle": [[], 126, /ELOOP/, /symbolic links on the way to \/v\/circle lead in a circle/],
  "/v/nested9": [[], 126, /ELOOP/, /interpreter is a script in turn/],
  "/v/script": [[], 127, /ENOENT/, /is there, but its interpreter \/no\/interpreter is not in this root/],
  "/v/foreign": [[], 126, /ENOEXEC/, /no program for this machine: it is for (arm64|x64), this is (x64|arm64)/],
  "/v/data": [[], 126, /ENOEXEC/, /neither ELF of this architecture nor a script/],
};

beforeAll(() => {
  if (reason !== undefined) return;
  dir = temporary();
  chmodSync(dir.path, 0o755);
  const file = (name: string, content: string | Uint8Array, mode = 0o755) => {
    writeFileSync(dir.file(name), content);
    chmodSync(dir.file(name), mode);
  };
  const program = readFileSync(busybox!);
  file("plain", "#!/bin/sh\n", 0o644);
  mkdirSync(dir.file("directory"));
  copyFileSync(busybox!, dir.file("program"));
  chmodSync(dir.file("program"), 0o755);
  file("busy", program);
  writer = openSync(dir.file("busy"), "r+");
  symlinkSync("circle", dir.file("circle"));
  file("nested0", "#!/bin/sh\n");
  for (let i = 1; i < 10; i++) file(`nested${i}`, `#!/v/nested${i - 1}\n`);
  file("script", "#!/no/interpreter\n");
  const foreign = Buffer.from(program);
  foreign.writeUInt16LE(process.arch === "x64" ? 183 : 62, 18);
  file("foreign", foreign);
  file("data", "neither\n");
});
afterAll(() => {
  if (reason !== undefined) return;
  closeSync(writer);
  dir[Symbol.dispose]();
});

describe.skipIf(reason !== undefined)("a command that is there but cannot be executed", () => {
  for (const [path, [options, exit, errno, hint]] of Object.entries(CASES))
    test(path, async () => {
      const args = [...options, "-v", `${dir.path}:/v`, "--", path].map((arg) => arg.replace("DIR", dir.path));
      const { code, stdout, stderr } = await nsrun(args);
      const [error = "", second = "", ...rest] = stderr.split("\n");
      expect(error).toMatch(errno);
      expect(second).toMatch(/^hint: /);
      expect(second).toMatch(hint);
      expect({ code, stdout, rest }).toEqual({ code: exit, stdout: "", rest: [""] });
    });
});
