/** The working directory of a command, in a hostile root and by hostile words: CVE-2024-21626. */
import { afterAll, describe, expect, test } from "bun:test";
import { closeSync, mkdirSync, openSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { container } from "../../src/index.ts";
import { canRun, skipReason } from "./helpers.ts";
import type { Case } from "./hostile/driver.ts";
import { HostilePlace, madeBy, RECIPES } from "./hostile/place.ts";

const skip = skipReason("hostile working directories", [canRun, [Bun.which("gcc") !== null, "no gcc for a static program"]]);
const place = skip === undefined ? new HostilePlace() : (undefined as unknown as HostilePlace);
afterAll(() => place?.[Symbol.dispose]());

/** Links to everything that stands for a directory of the host. */
function linkedRoot(): string {
  const root = place.root();
  mkdirSync(join(root, "data/deep"), { recursive: true });
  writeFileSync(join(root, "file"), "");
  const links = {
    in: "/data",
    up: "../../../../data/deep",
    host: place.host,
    stdin: "/proc/self/fd/0",
    dev: "/dev/fd/0",
    one: "/proc/1/root",
    cwd: "/proc/self/cwd",
    root: "/proc/self/root",
    task: "/proc/thread-self/fd/0",
    loop: "loop",
  };
  for (const [name, to] of Object.entries(links)) symlinkSync(to, join(root, name));
  return root;
}

const REFUSED = ["/stdin", "/dev/fd/0", "/one", "/cwd", "/root", "/task", "/proc/self/fd/0", "/proc/self/fd/0/..", "/proc/1/cwd"];
// whatever is open at that moment, of ours or of the caller
const NUMBERS = Array.from({ length: 40 }, (_, fd) => `/proc/self/fd/${fd + 1}`);

for (const recipe of RECIPES) {
  describe.skipIf(skip !== undefined)(`--cwd${madeBy(recipe)}`, () => {
    const start = (cases: Case[]) => place.start(cases, { NSRUN_ROOT_RECIPE: recipe });
    const one = (root: string, cwd: string, more: Partial<Case> = {}): Case => ({
      name: cwd,
      options: { rootfs: root, cwd },
      stdin: place.host,
      ...more,
    });

    test("follows the root's links inside it, and is where getcwd says", async () => {
      const root = linkedRoot();
      const rows = { "/": "/", "/in": "/data", "/up": "/data/deep", "/data/../data/./deep/": "/data/deep", "/../..": "/" };
      const results = await start(Object.keys(rows).map((cwd) => one(root, cwd)));
      expect(results.map(({ name, stdout, error }) => [name, error ?? /^cwd (.*)$/m.exec(stdout ?? "")?.[1]])).toEqual(
        Object.entries(rows),
      );
    });

    test("CVE-2024-21626: never goes through a descriptor in /proc, and says so", async () => {
      const root = linkedRoot();
      const results = await start([...REFUSED, ...NUMBERS].map((cwd) => one(root, cwd)));
      for (const { name, error, message } of results) {
        // a number that is not open is not there
        const known = ["ELOOP", NUMBERS.includes(name) ? "ENOENT" : "", ["/one", "/proc/1/cwd"].includes(name) ? "EACCES" : ""]; // pid 1 may be out of reach
        expect({ name, error: known.includes(error ?? "none") }).toEqual({ name, error: true });
        expect(message).toContain(`change to ${name}: `);
      }
      const plain = await start(["/host", "/loop", "/file", "/none"].map((cwd) => one(root, cwd)));
      expect(plain.map(({ error }) => error)).toEqual(["ENOENT", "ELOOP", "ENOTDIR", "ENOENT"]);
    });

    test("control: CVE-2024-21626: through /proc/self/fd/0 the command would stand on the host; getcwd alone stops it, too", async () => {
      const root = linkedRoot();
      const [leaked, stopped] = await start([
        one(root, "/stdin", { mutation: "magic, unrooted" }),
        one(root, "/stdin", { mutation: "magic" }),
      ]);
      expect(leaked?.stdout).toStartWith("cwd (unreachable)/");
      expect(leaked?.stdout).toContain("entry secret\n");
      expect(stopped?.error).toBe("EXDEV");
      expect(stopped?.message).toContain("make sure that it is inside the root");
    });
  });
}

test.skipIf(skip !== undefined)("CVE-2024-21626: a command that joins is held by the same rule", async () => {
  const root = linkedRoot();
  await using box = await container({ rootfs: root });
  const stdin = openSync(place.host, "r");
  try {
    for (const cwd of ["/stdin", "/proc/self/fd/0", "/one"]) {
      const error = await box.exec(["/bin/look"], { cwd, stdin }).catch((error: Error) => error.message);
      expect(error).toMatch(cwd === "/one" ? /change to \/one: (ELOOP|EACCES)/ : `change to ${cwd}: ELOOP`);
    }
    const { stdout } = await box.exec(["/bin/look"], { cwd: "/in", stdin });
    expect(stdout).toStartWith("cwd /data\n");
  } finally {
    closeSync(stdin);
  }
});
