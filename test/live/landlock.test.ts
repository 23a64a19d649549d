/** --landlock: each rule gives what it says and no more, and without rules all of it works. */
import { describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { container } from "../../src/index.ts";
import { hold, nsrun, shell, temporary, WAIT } from "./helpers.ts";
import { free, type Row, results, witness } from "./reach.ts";

const { abi, noLandlock, OPTIONAL, REACH, ruled, rules } = witness();

/** A root in a directory, written in place: bin, etc/passwd, etc/group, ro/{f,d}, rw/{f,g,d}. */
function smallTree() {
  const root = temporary();
  chmodSync(root.path, 0o755);
  for (const dir of ["etc", "rw/d", "ro/d"]) mkdirSync(root.file(dir), { recursive: true });
  for (const file of ["ro/f", "rw/f", "rw/g", "etc/passwd", "etc/group"]) writeFileSync(root.file(file), "x");
  return root;
}

describe.skipIf(noLandlock !== undefined)("--landlock", () => {
  const ROWS: Row[] = [
    ["read:/ro/f", "ok", "ok"],
    ["list:/ro", "ok", "ok"],
    ["write:/ro/f", "EACCES", "ok"],
    ["create:/ro/new", "EACCES", "ok"],
    ["link:/ro/l", "EACCES", "ok"],
    ["mkdir:/ro/dir", "EACCES", "ok"],
    ["truncate:/ro/f", "EACCES", "ok", 3],
    ["rename:/rw/g,/ro/g", "EACCES", "ok"],
    ["unlink:/ro/f", "EACCES", "ok"],
    ["rename:/rw/f,/rw/d/f", "ok", "ok"],
    ["create:/rw/new", "ok", "ok"],
    ["truncate:/rw/new", "ok", "ok"],
    ["unlink:/rw/new", "ok", "ok"],
    ["link:/rw/l", "ok", "ok"],
    ["read:/etc/passwd", "EACCES", "ok"],
    ["read:/etc/group", "ok", "ok"],
    ["list:/etc", "EACCES", "ok"],
    ["write:/dev/null", "ok", "ok"],
    ["ioctl:/dev/null", "EACCES", "ENOTTY", 5],
    ["ioctl:/dev/zero", "ENOTTY", "ENOTTY"],
    ["connect:7", "EACCES", "ECONNREFUSED", 4],
    ["connect:9", "ECONNREFUSED", "ECONNREFUSED"],
    ["bind:7000", "EACCES", "ok", 4],
    ["bind:9000", "ok", "ok"],
    ["chmod:/etc/group", "ok", "ok"], // what Landlock does not know
  ];
  const given = ["rx:/reach", "ro:/ro", "rw:/rw", "ro:/etc/group", "rw:/dev/null", "dev:/dev/zero", "connect:9", "bind:9000"];
  const OPS = ROWS.map(([op]) => op);
  const reach = (root: string, options: readonly string[]) =>
    nsrun(["--rootfs", root, "--rw", "-v", `${REACH}:/reach:ro`, ...options, "--", "/reach", ...OPS]);

  test("each right holds where a rule gives it and nowhere else; without rules all of it works", async () => {
    using one = smallTree();
    expect(results(await reach(one.path, rules(...given)))).toEqual(ruled(ROWS));
    using other = smallTree();
    expect(results(await reach(other.path, []))).toEqual(free(ROWS));
  });

  test("without one rule exactly its operations are refused", async () => {
    const owner: Record<string, string[]> = {
      "ro:/ro": ["read:/ro/f", "list:/ro"],
      "ro:/etc/group": ["read:/etc/group"],
      "rw:/dev/null": ["write:/dev/null", "ioctl:/dev/null"],
      "dev:/dev/zero": ["ioctl:/dev/zero"],
      "connect:9": abi >= 4 ? ["connect:9"] : [],
      "bind:9000": abi >= 4 ? ["bind:9000"] : [],
    };
    for (const [rule, lost] of Object.entries(owner)) {
      using root = smallTree();
      // none: the right stays restricted when its last port is taken away
      const rest = [...given.filter((one) => one !== rule), "connect:none", "bind:none"];
      const refused = Object.fromEntries(lost.map((op) => [op, "EACCES"]));
      expect(results(await reach(root.path, rules(...rest)))).toEqual({ ...ruled(ROWS), ...refused });
    }
  });

  test("a command that no rule lets be executed: 126, and what is missing", async () => {
    const { code, stderr } = await nsrun([...rules("ro:/"), "--", "true"]);
    expect(stderr).toContain('nsrun: cannot execute "true": EACCES (permission denied)\nhint: ');
    expect(stderr).toContain("no --landlock rule lets it (rx:PATH, its interpreter's too)");
    expect(code).toBe(126);
  });

  test("no mount inside the domain, and the host sees no_new_privs", async () => {
    const admin = ["--cap-add", "sys_admin", "--seccomp", "none"]; // else it is these that forbid it
    await using held = await hold([...admin, ...rules("rx:/", "rw:/dev")], `mount -t tmpfs x /mnt 2>&1; ${WAIT}`);
    expect(readFileSync(`/proc/${held.pid}/status`, "utf8")).toContain("\nNoNewPrivs:\t1\n");
    await using without = await hold(admin, `mount -t tmpfs x /mnt 2>&1; ${WAIT}`);
    expect(readFileSync(`/proc/${without.pid}/mountinfo`, "utf8")).toContain(" /mnt ");
    expect(readFileSync(`/proc/${held.pid}/mountinfo`, "utf8")).not.toContain(" /mnt ");
  });

  test("scope:signal keeps it from signalling pid 1, which it may without", async () => {
    const mount = ["-v", `${REACH}:/reach:ro`];
    expect(results(await nsrun([...mount, "--", "/reach", "kill:1"]))).toEqual({ "kill:1": "ok" });
    const scoped = await nsrun([...mount, ...rules("scope:signal"), "--", "/reach", "kill:1"]);
    expect(results(scoped)).toEqual({ "kill:1": abi >= 6 ? "EPERM" : "ok" });
  });

  test("a rule's path is looked up in the root, and never through a descriptor", async () => {
    using root = smallTree();
    const before = await shell([
      "sh",
      "-c",
      `cd ${root.path} && ln -s /ro host && ln -s /proc/self/fd/0 magic && ln -s loop loop`,
    ]);
    expect(before.code).toBe(0);
    const options = ["--rootfs", root.path, "-v", `${REACH}:/reach:ro`];
    const linked = await nsrun([...options, ...rules("rx:/reach", "ro:/host"), "--", "/reach", "read:/ro/f"]);
    expect(results(linked)).toEqual({ "read:/ro/f": "ok" });
    for (const [path, code] of [
      ["/magic", "ELOOP"],
      ["/loop", "ELOOP"],
      ["/proc/self/root/ro", "ELOOP"],
      ["/none", "ENOENT"],
    ]) {
      const { code: exit, stderr } = await nsrun([...options, ...rules(`ro:${path}`), "--", "/reach", "read:/ro/f"]);
      expect(stderr).toMatch(new RegExp(`nsrun: step \\d+ of \\d+: find ${path} for Landlock: ${code} .*\n`));
      expect(exit).toBe(125);
    }
  });

  test("a right of directories for a file is refused with the reason", async () => {
    const { code, stderr } = await nsrun([...rules("read-dir:/etc/passwd"), "--", "true"]);
    expect(stderr).toContain(
      "allow read-dir of /etc/passwd: EINVAL (invalid argument)\nhint: the rule names a right of directories",
    );
    expect(code).toBe(125);
  });

  test("what an older kernel leaves free is said, what it cannot do is refused", async () => {
    const { code, stderr } = await nsrun(["--landlock", "rx:/", "--landlock", "scope:signal", "--", "true"]);
    expect([code, stderr === ""]).toEqual(abi >= 6 ? [0, true] : [125, false]);
    if (abi >= 6) return;
    expect(stderr).toStartWith(`nsrun: --landlock: this kernel (ABI ${abi}) cannot restrict `);
    const optional = await nsrun(["--landlock", "rx:/", ...OPTIONAL, "--", "true"]);
    expect([optional.code, optional.stderr]).toEqual([
      0,
      expect.stringContaining("nsrun: this kernel's Landlock does not restrict "),
    ]);
  });

  test("commands that join are held by the same rules", async () => {
    await using box = await container({ landlock: ["rx:/bin", "ro:/etc/group", "rw:/dev/null", ...OPTIONAL.slice(1)] });
    const refused = await box.exec("cat /etc/passwd; cat /etc/group > /dev/null && echo read");
    expect(refused.stdout).toBe("read\n");
    expect(refused.stderr).toContain("Permission denied");
    await using open = await container();
    expect((await open.exec("cat /etc/passwd > /dev/null && echo read")).stdout).toBe("read\n");
  });
});
