/**
 * Roots that are hostile: a link, a file or a fifo where a mount point should be. Nothing of the host may change, nothing be
 * mounted elsewhere; either there is a proper container or one clear error, within a second. Each defence has its negative
 * control: the same with that defence taken out of the plan.
 */
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { asRoot, canRun, isRoot, NSRUN, shell, skipReason } from "./helpers.ts";
import type { Case, Result } from "./hostile/driver.ts";
import { HostilePlace, isOwn, KINDS, type Kind, mountsOf, NSRUN_MOUNTS, PLACES } from "./hostile/place.ts";

const skip = skipReason("hostile roots", [canRun, [Bun.which("gcc") !== null, "no gcc for a static program"]]);
let place: HostilePlace;
// each test its own: a negative control leaves the mark of what it did to "the host"
beforeEach(() => {
  place?.[Symbol.dispose]();
  place = new HostilePlace();
});
afterAll(() => place?.[Symbol.dispose]());

const FORMS = ["directory", "written in place", "archive"] as const;
type Form = (typeof FORMS)[number];
const rootOptions = (root: string, form: Form) =>
  form === "archive" ? { rootfs: place.tar(root) } : { rootfs: root, rw: form === "written in place" };

const OWN: readonly string[] = ["/dev", "/proc", "/sys"];
const FILE = () => `${place.dir.file("resolv")}:/etc/resolv.conf`;
const LOG = () => `${place.dir.file("volume")}:/var/log`;
const ALL = () => ({ tmpfs: ["/run", "/tmp"], volume: [FILE(), LOG()] });
/** The one mount that meets the hostile place. */
function mountOn(at: string): Case["options"] {
  if (OWN.includes(at)) return {};
  if (at.startsWith("/etc")) return { volume: [FILE()] };
  return at === "/var/log" ? { volume: [LOG()] } : { tmpfs: [at] };
}

/** Where the mount for `at` is then, or the errno that is told. */
function expected(at: string, kind: Kind, form: Form): string {
  if (OWN.includes(at)) {
    if (form !== "written in place") return at; // the layer's own directory covers it
    return kind === "file" || kind === "fifo" ? "ENOTDIR" : "ELOOP";
  }
  const target = at === "/etc" ? "/etc/resolv.conf" : at;
  if (kind === "fifo" && form === "archive" && !isRoot) return target; // left out when it is unpacked without root
  if (kind === "host" || kind === "up") return place.host.startsWith(`${at}/`) ? "ELOOP" : "ENOENT"; // looked for inside
  if (kind === "loop") return "ELOOP";
  if (kind === "magic") return "EXDEV"; // stopped at /proc already
  if (kind === "file" || kind === "fifo") {
    if (at === "/etc/resolv.conf") return target;
    return at === "/var/log" ? "EINVAL" : "ENOTDIR";
  }
  const other: Record<string, string> = {
    "/etc": "ELOOP", // to /etc/resolv.conf
    "/etc/resolv.conf": "EINVAL", // to a directory
    "/run": "/tmp",
    "/tmp": "/var/log",
    "/var/log": "EXDEV", // to /dev
  };
  return other[at]!;
}

/** The errno, or where the mounts are that nsrun does not make by itself ("" for none). */
function seen(result: Result, at: string): string {
  if (result.error !== undefined) return result.error;
  const mounts = mountsOf(result);
  for (const own of NSRUN_MOUNTS) expect(mounts.has(own)).toBe(true);
  expect([mounts.get("/proc"), mounts.get("/sys"), mounts.get("/dev")]).toEqual(["/ proc", "/ sysfs", "/ tmpfs"]);
  return OWN.includes(at) ? at : [...mounts.keys()].filter((mount) => !isOwn(mount)).join(" ");
}

/** No more than a second each (besides unpacking), one line each, nsrun's own exit code. */
function proper(results: readonly Result[]): void {
  for (const { message = "", exitCode = 125, ms, name } of results) {
    expect({ name, quick: ms < (name.includes("archive") ? 5000 : 1000), lines: message.split("\n").length, exitCode }).toEqual({
      name,
      quick: true,
      lines: 1,
      exitCode: 125,
    });
  }
}

const watched = () => place.state(place.host, place.dir.file("volume"), place.dir.file("resolv"));

for (const recipe of ["", "paths"]) {
  describe.skipIf(skip !== undefined)(`a hostile root${recipe === "" ? "" : ", made by paths"}`, () => {
    const env = { NSRUN_ROOT_RECIPE: recipe };

    for (const at of PLACES) {
      test(`${at} as each of ${KINDS.join(", ")}: a container or one error, and the host as it was`, async () => {
        const combinations = KINDS.flatMap((kind) => FORMS.map((form) => ({ kind, form, root: place.hostileRoot(at, kind) })));
        const cases = combinations.map(({ kind, form, root }) => ({
          name: `${kind}, ${form}`,
          options: { ...rootOptions(root, form), ...mountOn(at) },
        }));
        // and with everything mounted that can be: what of it is in the way of what else is not the point
        const more = combinations.map(({ kind, form, root }) => ({
          name: `${kind}, ${form}, all mounts`,
          options: { ...rootOptions(root, form), ...ALL() },
        }));
        const lower = combinations.filter(({ form }) => form === "directory").map(({ root }) => root);
        const before = [watched(), place.state(...lower)];
        const results = await place.start([...cases, ...more], env);
        expect([watched(), place.state(...lower)]).toEqual(before);
        proper(results);
        expect(results.slice(0, cases.length).map((r) => [r.name, seen(r, at)])).toEqual(
          combinations.map(({ kind, form }, i) => [cases[i]!.name, expected(at, kind, form)]),
        );
        for (const result of results) expect(result.error ?? "").toMatch(/^(|ELOOP|ENOENT|ENOTDIR|EXDEV|EINVAL)$/);
      });
    }

    test("negative control: with links followed as everybody does, the host's directory is written to", async () => {
      const root = place.hostileRoot("/etc", "host");
      const [safe] = await place.start([{ name: "safe", options: { rootfs: root, volume: [`${FILE()}.new`] } }], env);
      expect(safe?.error).toBe("ENOENT");
      const before = watched();
      const options = { rootfs: root, volume: [`${FILE()}.new`] };
      await place.start([{ name: "control", options, mutation: "follow" }], env);
      expect(watched()).not.toBe(before);
      expect(watched()).toContain(`${place.host}/resolv.conf.new `);
    });

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

    test("a volume's target is a link: followed inside the root, refused where it leads onto another mount", async () => {
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
      expect(results.map((r) => [r.name, seen(r, "")])).toEqual(rows.map(([targets, what]) => [targets.join(" "), what]));
    });

    test("CVE-2019-19921, negative control: where links may lead onto other mounts, a volume becomes /proc", async () => {
      const [result] = await place.start([{ name: "proc", options: volumes(linked(), "/toProc"), mutation: "cross" }], env);
      expect(result?.error).toBeUndefined();
      expect(result?.stdout).not.toContain(" - proc proc "); // it cannot even be read any more
    });
  });
}

asRoot("where something is mounted below a root that is written in place, a volume may be named", async () => {
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
      'mount -t tmpfs x "$1"; shift; exec "$@"',
      "sh",
      join(root, "home"),
      ...volume(target),
      "--",
      "/bin/look",
    ]);
  const named = await mounted("/home/x");
  expect([named.code, named.stderr]).toEqual([0, ""]);
  expect(named.stdout).toContain(" /home/x ");
  const linked = await mounted("/link/x");
  expect(linked.stderr).toContain(
    "find /link: EXDEV (invalid cross-device link)\nhint: a symbolic link of the root leads onto another mount",
  );
  expect(linked.code).toBe(125);
});
