/** Volumes and nsrun's own files whose target is a link of a hostile root: CVE-2019-19921, CVE-2023-27561. */
import { afterAll, describe, expect, test } from "bun:test";
import { accessSync, constants, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { SCRATCH } from "../../src/security/defaults.ts";
import { asRoot, canRun, NSRUN, shell, skipReason } from "./helpers.ts";
import type { Case } from "./hostile/driver.ts";
import { expected, listed, proper, rootOptions, seen } from "./hostile/expect.ts";
import { HostilePlace, KINDS, madeBy, RECIPES } from "./hostile/place.ts";

const skip = skipReason("links of hostile roots", [canRun, [Bun.which("gcc") !== null, "no gcc for a static program"]]);
const place = skip === undefined ? new HostilePlace() : (undefined as unknown as HostilePlace);
afterAll(() => place?.[Symbol.dispose]());

/** pasta takes the interface that the default route goes by. */
const ROUTE = /^\S+\t00000000\t/m;

function hasUplink(): boolean {
  try {
    accessSync("/dev/net/tun", constants.R_OK | constants.W_OK);
    return Bun.which("pasta") !== null && ROUTE.test(readFileSync("/proc/net/route", "utf8"));
  } catch {
    return false;
  }
}
const noUplink = skipReason("the uplink's resolv.conf", [
  [skip === undefined, "see above"],
  [hasUplink(), "no pasta, no tun device, or no default route"],
]);

for (const recipe of RECIPES) {
  describe.skipIf(skip !== undefined)(`a volume by a link${madeBy(recipe)}`, () => {
    const env = { NSRUN_ROOT_RECIPE: recipe };

    /** Links of a root to a directory of it, to each of nsrun's own mounts, and a chain. */
    function linked(): string {
      const root = place.root();
      for (const dir of ["data", "etc"]) mkdirSync(join(root, dir));
      const links = { in: "/data", up: "../../../data", chain: "in", toProc: "/proc", toSys: "sys/kernel", toDev: "dev" };
      for (const [name, to] of Object.entries(links)) symlinkSync(to, join(root, name));
      return root;
    }
    const volumes = (root: string, ...targets: string[]): Case["options"] => ({
      rootfs: root,
      volume: targets.map((target) => `${place.dir.file("volume")}:${target}`),
    });

    test("CVE-2019-16884, CVE-2023-27561: a volume's target is a link: followed inside the root, refused where it leads onto another mount", async () => {
      const root = linked();
      const rows = [
        [["/in"], "/data"],
        [["/up/x"], "/data/x"],
        [["/chain"], "/data"],
        [["/in", "/in/x"], "/data /data/x"],
        [["/toProc"], "EXDEV"],
        [["/toSys"], "EXDEV"],
        [["/toDev/x"], "EXDEV"],
        [["/data", "/in/x"], "EXDEV"],
        [["/data", "/chain"], "EXDEV"],
      ] as const;
      const cases = rows.map(([targets]) => ({ name: targets.join(" "), options: volumes(root, ...targets) }));
      const results = await place.start(cases, env);
      proper(results);
      expect(results.map((r) => [r.name, seen(r, "")])).toEqual(
        rows.map(([targets, what]) => [
          targets.join(" "),
          what.startsWith("/") ? listed([...what.split(" "), ...SCRATCH]) : what,
        ]),
      );
    });

    test("control: CVE-2019-16884, CVE-2023-27561: where links may lead onto other mounts, a volume becomes /proc", async () => {
      const options = volumes(linked(), "/toProc");
      const [result] = await place.start([{ name: "cross", options, mutation: "cross" }], env);
      expect(result?.error).toBeUndefined();
      expect(result?.stdout).not.toContain(" - proc proc "); // it cannot even be read any more
    });

    /** An earlier volume, into which others may write. */
    function shared(): string {
      const dir = join(place.root(), "shared");
      mkdirSync(join(dir, "real"), { recursive: true });
      const links = {
        sysctl: "/proc/sys",
        proc: "/proc",
        sys: "/sys",
        dev: "/dev",
        etc: "/etc",
        tmp: "/tmp",
        up: "../..",
        own: "real",
      };
      for (const [name, to] of Object.entries({ ...links, absolute: "/shared/real" })) symlinkSync(to, join(dir, name));
      return dir;
    }
    const below = (dir: string, target: string): Case["options"] => ({
      rootfs: linked(),
      volume: [`${dir}:/shared`, `${place.dir.file("volume")}:/shared/${target}`],
    });

    test("CVE-2021-30465, CVE-2023-27561: a link of an earlier volume leads to nothing but that volume", async () => {
      const dir = shared();
      const away = ["sysctl", "proc", "sys", "dev/x", "etc", "etc/x", "tmp", "up/data", "up/proc/sys"];
      const inside = { own: "/shared/real", absolute: "/shared/real", "own/x": "/shared/real/x" };
      const cases = [...away, ...Object.keys(inside)].map((name) => ({ name, options: below(dir, name) }));
      const results = await place.start(cases, env);
      proper(results);
      expect(Object.fromEntries(results.map((r) => [r.name, seen(r, "")]))).toEqual({
        ...Object.fromEntries(away.map((name) => [name, "EXDEV"])),
        ...Object.fromEntries(Object.entries(inside).map(([name, at]) => [name, listed(["/shared", at, ...SCRATCH])])),
      });
    });

    test("control: CVE-2021-30465, CVE-2023-27561: where it may, the volume is on /proc/sys", async () => {
      const [result] = await place.start([{ name: "", options: below(shared(), "sysctl"), mutation: "cross" }], env);
      expect(result!.stdout).toMatch(/\/volume \/proc\/sys /);
    });

    test("a tmpfs in a volume, and a volume in that tmpfs, in whatever order they are given", async () => {
      const options = { ...below(shared(), "real/x"), tmpfs: ["/shared/real"] };
      const [result] = await place.start([{ name: "", options }], env);
      expect(seen(result!, "")).toBe(listed(["/shared", "/shared/real", "/shared/real/x", ...SCRATCH]));
    });
  });
}

test.skipIf(noUplink !== undefined)("/etc and /etc/resolv.conf as each of them, for the uplink's resolv.conf", async () => {
  const rows = ["/etc", "/etc/resolv.conf"].flatMap((at) => KINDS.map((kind) => ({ at, kind })));
  const cases = rows.map(({ at, kind }) => ({
    name: `${at} ${kind}`,
    options: { ...rootOptions(place, place.hostileRoot(at, kind), "written in place"), net: "pasta" },
  }));
  const before = place.watched();
  const results = await place.start(cases);
  expect(place.watched()).toBe(before);
  expect(results.map((r) => [r.name, seen(r, "")])).toEqual(
    rows.map(({ at, kind }, i) => [cases[i]!.name, expected(place, at, kind, "written in place")]),
  );
});

asRoot("it mounts in the host's tree")(
  "where something is mounted below a root that is written in place, a volume may be named",
  async () => {
    const root = place.root();
    for (const dir of ["home", "data"]) mkdirSync(join(root, dir));
    symlinkSync("home", join(root, "link"));
    const volume = (target: string) => [...NSRUN, "run", "--rw", "--rootfs", root, "-v", `${place.dir.file("volume")}:${target}`];
    const mounted = (target: string) =>
      shell([
        "unshare",
        "-m",
        "sh",
        "-c",
        'mount --bind "$1/data" "$1/home"; shift; exec "$@"', // not a tmpfs: it could not map owners before Linux 6.3
        "sh",
        root,
        ...volume(target),
        "--",
        "/bin/look",
      ]);
    const named = await mounted("/home/x");
    expect([named.code, named.stderr]).toEqual([0, ""]);
    expect(named.stdout).toContain(" /home/x ");
    const linked = await mounted("/link/x");
    expect(linked.stderr).toContain(
      "find /link: EXDEV (invalid cross-device link)\nhint: a symbolic link leads onto another mount",
    );
    expect(linked.code).toBe(125);
    symlinkSync("/proc/sys", join(root, "data/out")); // of the mount's own
    expect(await mounted("/home/out")).toMatchObject({ code: 125, stderr: expect.stringContaining("EXDEV") });
  },
);
