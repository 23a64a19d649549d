/** What a command gives back: its output, its exit code, and its own options. */
import { describe, expect, test } from "bun:test";
import { canRun, MAIN, nsrun, shell, skipReason, temporary } from "./helpers.ts";

const reason = skipReason("results of nsrun run", [canRun]);

describe.skipIf(reason !== undefined)("results", () => {
  test("stdin is passed, stdout and stderr are kept apart, binary data is not changed", async () => {
    const data = new Uint8Array(1_000_003).map((_, i) => (i * 31 + (i >> 8)) & 0xff);
    using dir = temporary();
    await Bun.write(dir.file("in"), data);
    const argv = ["sh", "-c", `${process.execPath} ${MAIN} run -- cat <in >out`];
    expect(await shell(argv, { cwd: dir.path })).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(Bun.hash(await Bun.file(dir.file("out")).bytes())).toBe(Bun.hash(data));
    expect(await nsrun(["--", "sh", "-c", "cat; echo oops >&2"], { stdin: "data\n" })).toEqual({
      code: 0,
      stdout: "data\n",
      stderr: "oops\n",
    });
  });

  test("the last bytes of a command that ends at once are not lost", async () => {
    expect((await nsrun(["--", "sh", "-c", "yes | head -c 300000; printf end"])).stdout.slice(-5)).toBe("y\nend");
  });

  test("every kind of exit code is the command's own", async () => {
    const codes = [0, 1, 2, 42, 124, 125, 126, 127, 128, 200, 255];
    const got = await Promise.all(codes.map(async (n) => (await nsrun(["--", "sh", "-c", `exit ${n}`])).code));
    expect(got).toEqual(codes);
  });

  test("a signal that ends the command is 128+n, with init and without", async () => {
    const signals = { HUP: 129, KILL: 137, SEGV: 139, PIPE: 141, TERM: 143, 34: 162, 64: 192 };
    const got = await Promise.all(
      Object.keys(signals).map(async (s) => [s, (await nsrun(["--", "sh", "-c", `kill -${s} $$; cat`])).code]),
    );
    expect(Object.fromEntries(got)).toEqual(signals);
  });

  test("options after the command are the command's, with and without --", async () => {
    for (const dash of [[], ["--"]]) {
      const { stdout } = await nsrun([...dash, "echo", "--hostname", "x", "--bogus", "-v", "--", "-h"]);
      expect(stdout).toBe("--hostname x --bogus -v -- -h\n");
    }
  });
});
