/** Numbers that are none, or mean something else to the kernel (CVE-2026-30892): refused, never read as far as they go. */
import { describe, expect, test } from "bun:test";
import { container } from "../../../src/index.ts";
import { canRun, HOST_SAID, isRoot, NSRUN, shell, skipReason } from "../helpers.ts";
import { hasRanges } from "../user.ts";
import { bug, type Target } from "./bug.ts";

const reason = skipReason("integers", [canRun]);

/** 4294967295 is setresuid(2)'s "leave it as it is": the command would stay root. */
const WRONG = [
  "1000x",
  "-1",
  "4294967295",
  "",
  "0x10",
  "1e3",
  " 5",
  "5 ",
  "+5",
  "٣",
  "99999999999999999999",
  "5:",
  "5:-1",
  "5:1000x",
];

/** Of each value what `id -u` and the map say inside, or "refused". */
async function accepted({ nsrun }: Target, values: readonly string[], options: (value: string) => string[]) {
  const runs = values.map(async (value) => {
    const { code, stdout, stderr } = await shell([...nsrun, "run", ...options(value), "--", "sh", "-c", "id -u"]);
    if (code !== 0) expect(stderr.replace(HOST_SAID, "")).toMatch(/^nsrun: [^\n]*\n(hint: [^\n]*\n)?$/);
    return [value, code === 0 ? stdout.trim() : code === 125 ? "refused" : `exit ${code}`] as const;
  });
  return Object.fromEntries(await Promise.all(runs));
}
const refused = (values: readonly string[]) => Object.fromEntries(values.map((value) => [value, "refused"]));
const HOST = isRoot ? ["--userns", "host"] : [];

describe.skipIf(reason !== undefined)("integers", () => {
  bug({
    name: "integers (CVE-2026-30892): --user",
    // a user of one id alone has a map that refuses the others as well
    skip: isRoot || hasRanges[0] ? undefined : hasRanges[1],
    without: { rows: ["strict user"] },
    attack: (target) => accepted(target, WRONG, (value) => [...HOST, `--user=${value}`]),
    held: refused(WRONG),
    open: expect.objectContaining({ "1000x": "1000", "5:1000x": "5", "0x10": "0", "1e3": "1" }),
  });
  const MAPS = [
    "1x:3000000:1",
    "1:3000000x:5",
    "1:3000000:-1",
    "-1:3000000:1",
    "1:3000000:5:6",
    "1:4294967295:1",
    "1:3000000:0",
    "1",
    "",
  ];
  bug({
    name: "integers (CVE-2026-30892): --uid-map",
    skip: isRoot ? undefined : "only root may map any id",
    without: { rows: ["strict map"] },
    attack: (target) => accepted(target, MAPS, (value) => ["--uid-map", "0:3100000:1", `--uid-map=${value}`]),
    held: refused(MAPS),
    open: expect.objectContaining({ "1x:3000000:1": "0", "1:3000000x:5": "0" }),
  });
  const RANGES = ["1000x", "3000000:10x", "-1", "4294967295", "", "3000000:", "3000000:0", "0x10", "3000000:10:10"];
  bug({
    name: "integers (CVE-2026-30892): --userns",
    skip: isRoot ? undefined : "only root chooses a range",
    without: { rows: ["strict range"] },
    attack: (target) => accepted(target, RANGES, (value) => [`--userns=${value}`]),
    held: refused(RANGES),
    open: expect.objectContaining({ "1000x": "0", "3000000:10x": "0", "3000000:10:10": "0" }),
  });
  test("integers: --ulimit, --monotonic, --stop-timeout, --tmpfs, --publish", async () => {
    const OPTIONS: [string, string[]][] = [
      [
        "--ulimit",
        ["nofile=10x", "nofile=", "nofile=0x10", "nofile=5:6:7", "nofile=5=6", "nofile=-2", "nofile=99999999999999999999"],
      ],
      ["--monotonic", ["1x", "", "0x10", "1e3", "99999999999999"]],
      ["--stop-timeout", ["1x", "", "-1", "0x10"]],
      ["--max-size", ["1x", "", "-1"]],
      ["--publish", ["80x:80", "-1:80", "65536:80", "80:0x50", "80:", ":80"]],
    ];
    const target = { nsrun: NSRUN, bun: [], options: [] };
    for (const [option, values] of OPTIONS) {
      const more = option === "--publish" ? ["--net", "pasta"] : [];
      expect([option, await accepted(target, values, (value) => [...more, `${option}=${value}`])]).toEqual([
        option,
        refused(values),
      ]);
    }
  });
  test("integers: the user of a command that joins", async () => {
    await using box = await container({});
    for (const user of WRONG) {
      const error = await box.exec(["true"], { user }).catch((error: Error) => error);
      expect({ user, error }).toEqual({ user, error: expect.objectContaining({ name: "UsageError" }) });
    }
  });
});
