/** `nsrun unpack` as a command. */
import { expect, test } from "bun:test";
import { existsSync, lstatSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { type Member, Place, tar } from "../rootfs/tar-writer.ts";

const MAIN = join(import.meta.dir, "../../src/cmd/main.ts");
const root = process.geteuid?.() === 0;
if (!root) console.log("skipped: devices and owners need root");

function unpack(args: readonly string[], stdin?: Uint8Array): { code: number; stdout: string; stderr: string } {
  const { exitCode, stdout, stderr } = Bun.spawnSync([process.execPath, "--no-env-file", MAIN, "unpack", ...args], {
    stdin: stdin ?? "ignore",
    stderr: "pipe",
  });
  return { code: exitCode, stdout: stdout.toString(), stderr: stderr.toString() };
}

const MEMBERS: Member[] = [
  { name: "su", mode: 0o4755, uid: 1234, gid: 5678, data: "su" },
  { name: "dev/null", type: "3", mode: 0o666, major: 1, minor: 3 },
];

function place(...parts: Member[]): { place: Place; file: string; out: string } {
  const made = new Place();
  const file = join(made.target, "t.tar");
  writeFileSync(file, tar(...parts));
  return { place: made, file, out: join(made.target, "out") };
}

test("says on one line what was made and what was left out", () => {
  const { place: _place, file, out } = place(...MEMBERS);
  using _ = _place;
  const said = root
    ? "nsrun: 2 entries, 1 of them set-id; left out: 1 device nodes (see --devices)\n"
    : "nsrun: 2 entries; left out: 1 device nodes, 1 owners, 1 set-id bits\n";
  expect(unpack([file, out])).toEqual({ code: 0, stdout: "", stderr: said });
  expect(existsSync(join(out, "dev"))).toBe(false);
});

test.skipIf(!root)("--devices, --no-same-owner", () => {
  const { place: _place, file, out } = place(...MEMBERS);
  using _ = _place;
  expect(unpack(["--devices", file, out]).stderr).toBe("nsrun: 2 entries, 1 of them set-id\n");
  expect(lstatSync(join(out, "dev/null")).isCharacterDevice()).toBe(true);
  expect(lstatSync(join(out, "su"))).toMatchObject({ uid: 1234, gid: 5678, mode: 0o104755 });
  expect(unpack(["--no-same-owner", file, `${out}2`]).code).toBe(0);
  expect(lstatSync(join(`${out}2`, "su"))).toMatchObject({ uid: 0, gid: 0, mode: 0o100755 });
});

test.skipIf(root)("--devices without root", () => {
  expect(unpack(["--devices", "none", "none"]).stderr).toBe("nsrun: --devices needs root: only root can make device nodes\n");
});

test("from standard input, compressed", () => {
  const { place: _place, out } = place();
  using _ = _place;
  expect(unpack(["-", out], gzipSync(tar({ name: "f", data: "x" }))).code).toBe(0);
  expect(readFileSync(join(out, "f"), "utf8")).toBe("x");
});

test("a limit that is met names its option; a wrong value is told before anything is made", () => {
  const { place: _place, file, out } = place({ name: "a", data: "x".repeat(5000) }, { name: "b/c/d" });
  using _ = _place;
  const met = (entry: string, what: string, option: string) =>
    `nsrun: ${file}: more than ${what} (entry ${entry})\nhint: --${option} moves this limit\n`;
  expect(unpack(["--max-size", "4k", file, out])).toEqual({ code: 125, stdout: "", stderr: met("a", "4096 bytes", "max-size") });
  expect(unpack(["--max-entries", "3", file, out]).stderr).toBe(met("b/c/d", "3 entries", "max-entries"));
  expect(unpack(["--max-depth=2", file, out]).stderr).toEndWith(
    "3 levels deep (limit 2) (entry b/c/d)\nhint: --max-depth moves this limit\n",
  );
  expect(unpack(["--max-path=4", file, out]).stderr).toEndWith(
    "name of 5 bytes (limit 4) (entry b/c/d)\nhint: --max-path moves this limit\n",
  );
  expect(unpack(["--max-size", "1q", file, `${out}2`])).toMatchObject({ code: 125 });
  expect(readdirSync(_place.target).sort()).toEqual(["out", "t.tar"]);
});

test("--max-ratio", () => {
  const { place: _place, file, out } = place();
  using _ = _place;
  const zeros = tar({ name: "z", data: Buffer.alloc(80 << 20) });
  writeFileSync(file, gzipSync(zeros));
  const { stderr } = unpack(["--max-ratio", "100", file, out]);
  expect(stderr).toBe(`nsrun: ${file}: unpacks to more than 100 times its size\nhint: --max-ratio moves this limit\n`);
  expect(unpack(["--max-ratio", "2000", file, out]).code).toBe(0);
});
