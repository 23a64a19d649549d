/** --no-namespaces: the caller's namespaces and root, and Landlock alone that holds the command. */
import { describe, expect, test } from "bun:test";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { WEAKER } from "../../src/security/landlock.ts";
import { hold, marked, marker, NSRUN, namespacesOf, nsrun, shell, temporary, WAIT } from "./helpers.ts";
import { free, type Row, results, witness } from "./reach.ts";

const { noLandlock, REACH, ruled, rules } = witness();

const ALONE = `nsrun: ${WEAKER}\n`;
/** Programs and libraries of this machine. */
const SYSTEM = rules("rx:/bin", "rx:/usr", "rx:/lib", "ro:/etc", "ro:/proc", "rw:/dev/null");

describe.skipIf(noLandlock !== undefined)("--no-namespaces", () => {
  test("needs rules, and excludes what needs namespaces; one line and 125", async () => {
    const without = await nsrun(["--no-namespaces", "--", "true"]);
    expect(without.stderr).toStartWith(
      "nsrun: --no-namespaces needs --landlock rules: nothing else would hold the command\nhint: ",
    );
    expect(without.code).toBe(125);
    for (const [option, value] of [
      ["--net", "host"],
      ["--share", "pid"],
      ["--unshare", "user"],
      ["--join", "net=1"],
      ["--uid-map", "0:0"],
    ]) {
      const { code, stderr } = await nsrun(["--no-namespaces", "--landlock", "ro:/", option!, value!, "--", "true"]);
      expect([code, stderr]).toEqual([125, `nsrun: ${option} and --no-namespaces exclude each other\n`]);
    }
    const volume = await nsrun(["--no-namespaces", "--landlock", "ro:/", "-v", "/tmp:/x", "--", "true"]);
    expect([volume.code, volume.stderr]).toEqual([125, "nsrun: --volume needs a mount namespace of the container's own\n"]);
  });

  test("the host's namespaces, no capabilities, no_new_privs; the weakness is said", async () => {
    const held = await hold(["--no-namespaces", ...SYSTEM], WAIT);
    expect(namespacesOf(held.pid)).toEqual(namespacesOf("self"));
    const status = readFileSync(`/proc/${held.pid}/status`, "utf8");
    expect(status).toContain("\nNoNewPrivs:\t1\n");
    for (const set of ["Inh", "Prm", "Eff", "Amb"]) expect(status).toContain(`\nCap${set}:\t0000000000000000\n`);
    held.child.stdin.end();
    const { code, stderr } = await held.finished();
    expect(stderr).toStartWith(ALONE);
    expect(code).toBe(0);
    await held[Symbol.asyncDispose]();
  });

  test("with --new-privileges too: Landlock wants no_new_privs, and no capability is kept to load the filter", async () => {
    const added = process.getuid!() === 0 ? ["--cap-add", "net_raw"] : [];
    const options = ["--no-namespaces", ...SYSTEM, "--new-privileges", ...added];
    const { code, stdout } = await nsrun([...options, "--", "grep", "-E", "^(CapEff|CapPrm|NoNewPrivs)", "/proc/self/status"]);
    const none = "0".repeat(16);
    expect({ code, stdout }).toEqual({ code: 0, stdout: `CapPrm:\t${none}\nCapEff:\t${none}\nNoNewPrivs:\t1\n` });
  });

  test("nothing but what the rules give: files, ports, sockets, processes and their programs", async () => {
    using dir = temporary();
    chmodSync(dir.path, 0o755);
    writeFileSync(dir.file("secret"), "x");
    writeFileSync(dir.file("given"), "x");
    using allowed = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    using other = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const name = `nsrun-test-${process.pid}`;
    using _ = Bun.listen({ unix: `\0${name}`, socket: { data() {} } });
    const rows: Row[] = [
      [`read:${dir.file("secret")}`, "EACCES", "ok"],
      [`write:${dir.file("secret")}`, "EACCES", "ok"],
      [`truncate:${dir.file("secret")}`, "EACCES", "ok", 3],
      [`read:${dir.file("given")}`, "ok", "ok"],
      [`list:${dir.path}`, "EACCES", "ok"],
      ["list:/", "EACCES", "ok"],
      [`connect:${allowed.port}`, "ok", "ok"],
      [`connect:${other.port}`, "EACCES", "ok", 4],
      [`abstract:${name}`, "EPERM", "ok", 6],
      [`kill:${process.pid}`, "EPERM", "ok", 6],
      [`exe:${process.pid}`, "EACCES", "ok"], // another Bun of the same user, as nsrun is (CVE-2019-5736)
    ];
    const given = rules(`rx:${REACH}`, `ro:${dir.file("given")}`, "ro:/proc", `connect:${allowed.port}`);
    const ops = rows.map(([op]) => op);
    const outcome = await nsrun(["--no-namespaces", ...given, "--", REACH, ...ops]);
    expect(results(outcome)).toEqual(ruled(rows));
    expect(outcome.stderr).toStartWith(ALONE);
    expect(results(await shell([REACH, ...ops]))).toEqual(free(rows));
  });

  test("where namespaces are forbidden it is what still works", async () => {
    const forbid = 'for knob in /proc/sys/user/max_*_namespaces; do echo 0 > $knob; done; exec "$@"';
    const inIt = (...args: string[]) => shell(["unshare", "-Ur", "sh", "-c", forbid, "sh", ...NSRUN, "run", ...args]);
    const container_ = await inIt("--", "true");
    expect(container_.code).toBe(125);
    const { stdout, stderr, code } = await inIt(
      "--no-namespaces",
      ...SYSTEM,
      "--",
      "sh",
      "-c",
      "echo works; cat /root/x /var/log/x",
    );
    expect(stdout).toBe("works\n");
    expect(stderr).toStartWith(ALONE);
    expect(code).toBe(1);
  });

  test("its orphans end with it", async () => {
    const mark = marker();
    const { code } = await nsrun([
      "--no-namespaces",
      ...SYSTEM,
      "--",
      "sh",
      "-c",
      `setsid sh -c 'sleep 300; :' ${mark} & exit 3`,
    ]);
    expect(code).toBe(3);
    expect(marked(mark)).toEqual([]);
  });
});
