/** How the program behaves among others: pipes, full disks, terminals of any width, colours, the man page. */
import { describe, expect, test } from "bun:test";
import { closeSync, readFileSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import pkg from "../../package.json" with { type: "json" };
import { bytes, must } from "../../src/ffi/syscall.ts";
import { CHECKOUT, NSRUN, shell, skipReason, temporary, works } from "./helpers.ts";

const quoted = NSRUN.map((word) => `'${word}'`).join(" ");

/** A shell script in which $NSRUN is nsrun's command line, in a temporary directory. */
async function script(text: string, env: Record<string, string> = {}) {
  using dir = temporary();
  return await shell(["bash", "-c", text], { cwd: dir.path, env: { NSRUN: NSRUN.join(" "), ...env } });
}

describe("a reader that has gone", () => {
  // the gate opens when the pipe's only reader is closed
  const without = (command: string) =>
    script(`mkfifo gate; { read -r _ <gate; ${command}; echo "exit $?" >&3; } 3>&2 | { exec <&-; echo >gate; }`);
  test("is no error of the one who writes", async () => {
    expect(await without("$NSRUN help run")).toEqual({ code: 0, stdout: "", stderr: "exit 0\n" });
    expect(await without("$NSRUN --version")).toEqual({ code: 0, stdout: "", stderr: "exit 0\n" });
    expect(await without("$NSRUN completion zsh")).toEqual({ code: 0, stdout: "", stderr: "exit 0\n" });
  });
  test("of messages does not change the exit code", async () => {
    expect(await without("$NSRUN --nope 2>&1")).toEqual({ code: 0, stdout: "", stderr: "exit 125\n" });
  });
  test("has what it wanted from head", async () => {
    const { stdout, stderr } = await script("set -o pipefail; $NSRUN help run | head -n 1; echo $?");
    expect({ stdout, stderr }).toEqual({ stdout: "Usage: nsrun run [OPTION…] [--] COMMAND [ARG…]\n0\n", stderr: "" });
  });
});

describe("stdout", () => {
  test("that is full is an error of one line", async () => {
    const { code, stderr } = await script("$NSRUN help run >/dev/full");
    expect({ code, stderr }).toEqual({ code: 125, stderr: "nsrun: cannot write to stdout: ENOSPC\n" });
  });
  test("that is a file keeps what others wrote there, when there is nothing to say too", async () => {
    const { stdout } = await script("{ echo a; $NSRUN __complete unpack a b ''; $NSRUN --version; echo b; } >file; cat file");
    expect(stdout).toMatch(/^a\nnsrun .*\nb\n$/);
  });
  test("that is a pipe gets all, a slow one and one that does not block as well", async () => {
    const size = 3_000_000;
    const source = `import { print } from "${CHECKOUT}/src/cmd/print.ts"; await print("x".repeat(${size})); process.exit(0)`;
    for (const flags of [0, 0x800 /* O_NONBLOCK */]) {
      const pair = bytes(8);
      must("pipe", "pipe2", pair, 0x80000 /* O_CLOEXEC */);
      const [read = -1, write = -1] = new Int32Array(pair.buffer);
      must("fcntl", "fcntl", write, 4 /* F_SETFL */, flags);
      const writer = Bun.spawn([process.execPath, "-e", source], { stdout: write, stderr: "pipe" });
      const reader = Bun.spawn(["sh", "-c", "dd bs=999 count=1 2>/dev/null | wc -c; wc -c"], { stdin: read, stdout: "pipe" });
      closeSync(write);
      closeSync(read);
      const counts = (await reader.stdout.text()).trim().split(/\s+/).map(Number);
      expect([counts[0]! + counts[1]!, await writer.stderr.text(), await writer.exited]).toEqual([size, "", 0]);
    }
  });
});

const terminal = skipReason("help on a terminal", [[works("script", "-qec", "true", "/dev/null"), "script does not work here"]]);

describe.skipIf(terminal !== undefined)("on a terminal", () => {
  /** What `nsrun ARGS` writes to a terminal of so many columns. */
  async function typed(args: string, columns: number, env: Record<string, string>): Promise<string> {
    const command = `stty cols ${columns}; exec ${quoted} ${args}`;
    const { code, stdout } = await shell(["script", "-qec", command, "/dev/null"], { env: { TERM: "xterm", ...env } });
    expect(code).toBe(0);
    return stdout.replaceAll("\r", "");
  }
  const longest = (text: string): number => Math.max(...text.split("\n").map((line) => line.length));

  test("the help is as wide as that, but not too wide to read", async () => {
    const widths = await Promise.all([60, 80, 100, 300].map(async (columns) => longest(await typed("help unpack", columns, {}))));
    expect(widths.map((width, i) => width <= [60, 80, 100, 120][i]! && width > [50, 60, 80, 100][i]!)).toEqual(
      Array(4).fill(true),
    );
  });
  test("there are colours, unless NO_COLOR or TERM forbids it", async () => {
    const escapes = (text: string): boolean => text.includes("\x1b[");
    expect(escapes(await typed("help run", 80, { NO_COLOR: "" }))).toBe(true);
    expect(escapes(await typed("help run", 80, { NO_COLOR: "1" }))).toBe(false);
    expect(escapes(await typed("help run", 80, { NO_COLOR: "", TERM: "dumb" }))).toBe(false);
  });
});

test("there are no colours in a pipe, whatever picocolors thinks of it", async () => {
  const { stdout } = await script("$NSRUN help run", { NO_COLOR: "", FORCE_COLOR: "1", CI: "1" });
  expect(stdout).toStartWith("Usage: nsrun run");
  expect(stdout).not.toContain("\x1b");
});

test("--version says Bun's and the kernel's too", async () => {
  const expected = `nsrun ${pkg.version} (bun ${Bun.version}, linux ${(await shell(["uname", "-r"])).stdout.trim()})\n`;
  expect(release()).not.toBe("");
  for (const option of ["-V", "--version"]) {
    expect(await shell([...NSRUN, option])).toEqual({ code: 0, stdout: expected, stderr: "" });
  }
});

test("--help, -h and help say the same, wherever it is asked; behind the command it is the command's", async () => {
  const text = async (...args: string[]) => (await shell([...NSRUN, ...args])).stdout;
  expect(await text("help")).toBe(await text("--help"));
  expect(await text("help", "run")).toBe(await text("run", "--net", "veth", "-h"));
  expect(await text("help", "run")).toBe(await text("run", "-ih"));
  expect(await text("help", "unpack")).toBe(await text("unpack", "a", "--help"));
  expect(await text("help", "help")).toBe(await text("help", "help", "--help"));
  expect(await text("unpack", "--", "--help")).toBe("");
  for (const words of [
    ["seccomp", "--help"],
    ["seccomp", "-h"],
    ["help", "seccomp"],
  ]) // the word alone is no command
    expect(await text(...words)).toBe(await text("help", "seccomp", "dump"));
});

const traced = skipReason("what the help loads", [[works("strace", "-o", "/dev/null", "true"), "strace does not work here"]]);

test.skipIf(traced !== undefined)("the help loads neither commander nor what makes containers", async () => {
  using dir = temporary();
  const files = dir.file("files");
  await shell(["strace", "-f", "-o", files, "-e", "trace=open,openat", ...NSRUN, "run", "--help"]);
  const opened = readFileSync(files, "utf8");
  expect(opened).toContain("src/cmd/help.ts");
  expect(opened).not.toMatch(/node_modules\/commander|src\/container|src\/plan/);
});

describe("the man page", () => {
  const page = async (dir: string): Promise<string> => {
    const { code, stdout, stderr } = await shell([process.execPath, `${CHECKOUT}/scripts/man.ts`], {
      env: { SOURCE_DATE_EPOCH: "86400" },
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain('.TH NSRUN 1 1970-01-02 "nsrun ');
    writeFileSync(`${dir}/nsrun.1`, stdout);
    return "./nsrun.1";
  };
  const man = skipReason("man ./nsrun.1", [[Bun.which("man") !== null, "man is not installed (package man-db)"]]);
  test.skipIf(man !== undefined)("is shown by man without warnings, with every option", async () => {
    using dir = temporary();
    const file = await page(dir.path);
    const shown = await shell(["man", "--warnings", file], { cwd: dir.path, env: { MANWIDTH: "100", LC_ALL: "C.UTF-8" } });
    expect({ code: shown.code, stderr: shown.stderr }).toEqual({ code: 0, stderr: "" });
    const options = ["--rootfs DIR|TAR|host", "-v, --volume SRC:DST[:OPT,...]", "--no-init", "-V, --version", "NSRUN_CACHE"];
    expect(options.filter((option) => !shown.stdout.includes(option))).toEqual([]);
  });
  const lint = skipReason("mandoc", [[Bun.which("mandoc") !== null, "mandoc is not installed"]]);
  test.skipIf(lint !== undefined)("has nothing that mandoc's lint would say", async () => {
    using dir = temporary();
    const file = await page(dir.path);
    expect(await shell(["mandoc", "-T", "lint", file], { cwd: dir.path })).toEqual({ code: 0, stdout: "", stderr: "" });
  });
});
