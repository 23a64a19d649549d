/** A pid used again: no signal goes to a number that may be somebody else's by now. strace(1) is the witness. */
import { describe } from "bun:test";
import { readFileSync } from "node:fs";
import { CHECKOUT, canRun, skipReason, TRACED, temporary, works } from "../helpers.ts";
import { bug } from "./bug.ts";
import { tracee } from "./processes.ts";

const reason = skipReason("what strace sees", [canRun, [works("strace", "-V"), "strace is not installed"]]);

describe.skipIf(reason !== undefined)("a pid used again", () => {
  bug({
    name: "a pid used again: signals go by descriptors, and by number to nobody but unreaped children",
    without: { rows: ["signals by pidfd"] },
    attack: async ({ nsrun }) => {
      using dir = temporary();
      const log = dir.file("log");
      const calls = "kill,tkill,tgkill,rt_sigqueueinfo,rt_tgsigqueueinfo,pidfd_send_signal";
      const trace = ["strace", "-fY", "-qqq", "-o", log, "-e", `trace=${calls}`];
      const script = "trap : TERM; echo ready; sleep 600 & wait; wait";
      const command = [...nsrun, "run", ...TRACED, "--stop-timeout", "1", "--", "sh", "-c", script];
      const child = Bun.spawn([...trace, ...command], { cwd: CHECKOUT, stdio: ["ignore", "pipe", "ignore"] });
      await child.stdout.getReader().read();
      process.kill(tracee(child.pid)!, "SIGTERM"); // which is passed on, and after a second SIGKILL follows
      await child.exited;
      // pid 1 alone may say a number: it is the one that reaps
      const made = [...readFileSync(log, "utf8").matchAll(/^\d+<(?!nsrun-init>)[^>]*> (\w+)\(/gm)].map(([, name]) => name);
      return { byNumber: made.some((name) => name !== "pidfd_send_signal"), byDescriptor: made.includes("pidfd_send_signal") };
    },
    held: { byNumber: false, byDescriptor: true },
    open: { byNumber: true, byDescriptor: false },
  });
});
