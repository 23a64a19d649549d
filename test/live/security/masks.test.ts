/** Hidden and read-only paths of /proc and /sys: seen from outside in mountinfo, tried from inside, and left away by --unmask. */
import { describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { MASKED, READ_ONLY } from "../../../src/security/defaults.ts";
import { asRoot, canRun, hold, inside, nsrun, shell, skipReason, smallRoot, temporary, WAIT } from "../helpers.ts";
import { bug } from "./bug.ts";

const reason = skipReason("masks", [canRun]);
const masked = MASKED.filter(({ path }) => existsSync(path));
const readOnly = READ_ONLY.filter((path) => existsSync(path) && !path.startsWith("/sys/") && path !== "/dev");

/** Mount point → [options, file system type] of the topmost mount there. */
function mounts(pid: number): Record<string, [string[], string]> {
  const lines = readFileSync(`/proc/${pid}/mountinfo`, "utf8").trim().split("\n");
  return Object.fromEntries(
    lines.map((line) => [line.split(" ")[4]!, [line.split(" ")[5]!.split(","), / - (\S+)/.exec(line)?.[1] ?? ""]]),
  );
}

describe.skipIf(reason !== undefined)("by default", () => {
  test("every path of the policy that this kernel has is covered", async () => {
    expect(masked.length).toBeGreaterThan(2);
    await using held = await hold([], WAIT);
    const found = mounts(held.pid);
    for (const { path, directory } of masked) {
      const [options, type] = found[path] ?? [[], "nothing"];
      expect([path, type]).toEqual([path, type === "devtmpfs" && !directory ? "devtmpfs" : "tmpfs"]);
      if (directory) expect(options).toEqual(expect.arrayContaining(["ro", "nosuid", "nodev", "noexec"]));
    }
    for (const path of readOnly)
      expect([path, ...(found[path]?.[0] ?? [])]).toEqual(expect.arrayContaining(["ro", "nosuid", "nodev", "noexec"]));
  });
  test("hidden files are empty and hidden directories as well, knobs cannot be turned", async () => {
    const files = masked.filter((one) => !one.directory).map(({ path }) => path);
    const directories = masked.filter((one) => one.directory).map(({ path }) => path);
    const script = `cat ${files.join(" ")} | wc -c; ls -A ${directories.join(" ")} | grep -v ':$' | grep -c .
      for knob in /proc/sys/kernel/domainname /proc/sysrq-trigger /proc/mtrr /sys/kernel/mm/ksm/run; do
        [ ! -e $knob ] || { echo x >$knob; } 2>/dev/null && [ -e $knob ] && echo turned $knob; done; touch /proc/acpi/x 2>/dev/null && echo made; echo end`;
    expect(await inside([], script)).toBe("0\n0\nend");
  });
  test("root inside cannot take the masks away", async () => {
    expect(await inside([], "umount /proc/keys 2>/dev/null || umount -l /proc/keys 2>/dev/null || cat /proc/keys | wc -c")).toBe(
      "0",
    );
  });
  test("a volume on such a path is still the caller's choice", async () => {
    using dir = temporary();
    writeFileSync(dir.file("keys"), "mine\n", { mode: 0o644 });
    expect(await inside(["-v", `${dir.file("keys")}:/proc/keys`], "cat /proc/keys")).toBe("mine");
  });
});

describe.skipIf(reason !== undefined)("--unmask", () => {
  const show = "cat /proc/keys /proc/interrupts /proc/timer_list 2>/dev/null | wc -c";
  asRoot("what is shown there belongs to root")("all: the attack works", async () => {
    const all = ["--unmask", "all", "--userns", "host"];
    expect(Number(await inside(all, show))).toBeGreaterThan(100);
    expect(await inside(all, "echo 5 >/proc/sys/net/ipv4/ip_default_ttl; cat /proc/sys/net/ipv4/ip_default_ttl")).toBe("5");
  });
  test("one path, and no other", async () => {
    await using held = await hold(["--unmask", "/proc/interrupts", "--unmask", "/proc/sys/"], WAIT);
    const found = Object.keys(mounts(held.pid));
    expect(found).not.toContain("/proc/interrupts");
    expect(found).not.toContain("/proc/sys");
    expect(found).toEqual(expect.arrayContaining(["/proc/timer_list", "/proc/irq"]));
  });
  test("a path that is not among them is one line", async () => {
    const { code, stderr } = await nsrun(["--unmask", "/proc/key", "true"]);
    expect(code).toBe(125);
    expect(stderr).toMatch(
      /^nsrun: --unmask \/proc\/key: not among what is hidden or read-only\nhint: known: \/proc\/acpi .* all\n$/,
    );
  });
});

describe.skipIf(reason !== undefined)("what hides", () => {
  // nsrun's /dev covers the root's before anything is hidden; for the control the node is taken where the root has a say: from /null
  for (const layer of [[], ["--rw"]])
    bug({
      name: `CVE-2025-31133: a root whose /dev/null is a link to a file does not put that on what is hidden ${layer.join("")}`,
      without: { rows: ["own null node"] },
      attack: async ({ nsrun }) => {
        using dir = temporary();
        chmodSync(dir.path, 0o755);
        const root = await smallRoot(dir.file("root"));
        writeFileSync(dir.file("secret"), "secret of the host\n");
        mkdirSync(`${root}/dev`);
        for (const name of ["null", "dev/null"]) symlinkSync(dir.file("secret"), `${root}/${name}`);
        const { stdout } = await shell([...nsrun, "run", "--rootfs", root, ...layer, "--", "cat", "/proc/interrupts"]);
        return stdout;
      },
      held: "",
      open: "secret of the host\n",
    });
});
