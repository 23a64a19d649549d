/** Descriptors of the host: none reaches the command, whatever the caller left open; and none of the caller's is given away. */
import { describe } from "bun:test";
import { chmodSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { canRun, isRoot, shell, skipReason, smallRoot, temporary } from "../helpers.ts";
import { hasRanges } from "../user.ts";
import { bug } from "./bug.ts";

const reason = skipReason("descriptors of the host", [canRun]);

describe.skipIf(reason !== undefined)("descriptors", () => {
  // what is inherited by the process that becomes the command: the mounts of the root and of volumes among others, from below
  bug({
    name: "CVE-2024-21626: no descriptor of nsrun's leads the command to what is not in its root",
    // what the container opens itself is close-on-exec, and without root it opens all that there is
    uncontrolled: isRoot ? undefined : "without root no descriptor survives the exec anyway",
    both: ["descriptors are read back"],
    without: { rows: ["descriptors closed"] },
    attack: async ({ nsrun }) => {
      using dir = temporary();
      chmodSync(dir.path, 0o755);
      const root = await smallRoot(dir.file("root"));
      mkdirSync(`${root}/data`);
      mkdirSync(dir.file("empty"));
      writeFileSync(`${root}/data/secret`, "covered by a volume\n");
      const look = "for fd in /proc/self/fd/*; do cat $fd/data/secret 2>/dev/null && break; done; ls /proc/self/fd | wc -l";
      const options = ["--rootfs", root, "-v", `${dir.file("empty")}:/data`];
      const { stdout } = await shell([...nsrun, "run", ...options, "--", "sh", "-c", look]);
      const count = Number(/\d+$/.exec(stdout.trim())?.[0]);
      return { covered: stdout.includes("covered by a volume"), open: count > 4 ? "more" : count }; // ls itself has one
    },
    held: { covered: false, open: 4 },
    open: { covered: true, open: "more" },
  });

  bug({
    name: "standard streams: they keep their owner, though the command is somebody else",
    skip: isRoot || hasRanges[0] ? undefined : hasRanges[1],
    without: { rows: ["streams not chowned"] },
    attack: async ({ nsrun }) => {
      using dir = temporary();
      for (const name of ["in", "out", "err"]) writeFileSync(dir.file(name), "");
      const script = `cd "$1"; shift; exec "$@" <in >out 2>err`;
      const who = isRoot ? ["--userns", "host", "--user", "33:33"] : ["--user", "33:33"];
      const { code } = await shell(["sh", "-c", script, "sh", dir.path, ...nsrun, "run", ...who, "--", "id", "-u"]);
      const owner = (name: string) => (statSync(dir.file(name)).uid === process.getuid!() ? "caller" : "command");
      return [code, owner("in"), owner("out"), owner("err")];
    },
    held: [0, "caller", "caller", "caller"],
    open: [0, "command", "command", "command"],
  });
});
