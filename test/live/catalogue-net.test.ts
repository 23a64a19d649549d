/** The network's part of the catalogue: each errno that has a hint, from the kernel, in a network namespace of the test's own. */
import { describe, expect, test } from "bun:test";
import { HINTS } from "../../src/net/failure.ts";
import { CHECKOUT, needsRoot, shell, skipReason, works } from "./helpers.ts";

const reason = skipReason("the catalogue of netlink errors", [
  needsRoot,
  [works("unshare", "-n", "true"), "unshare -n does not work here"],
]);

describe.skipIf(reason !== undefined)("an rtnetlink request refused with", () => {
  for (const [code, hint] of Object.entries(HINTS))
    test(code, async () => {
      const drop = code === "EPERM" ? ["setpriv", "--bounding-set", "-net_admin"] : [];
      const argv = ["unshare", "-n", ...drop, process.execPath, "--no-env-file", `${CHECKOUT}/test/live/provoke-net.ts`, code];
      const { stdout, stderr } = await shell(argv);
      expect(stderr).toBe("");
      expect(JSON.parse(stdout)).toEqual({ kernel: code !== "ENOBUFS", code, hint });
    });
});
