/** After every run, good, bad or interrupted: links, mounts, cgroups, /run, /tmp and the processes are as before. */
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { asRoot, COMPILED, canRun, hold, marker, NSRUN, shell, skipReason, snapshot, VETH, WAIT } from "./helpers.ts";

const reason = skipReason("clean-up", [canRun]);
const PROGRAMS = { "from source": NSRUN, ...(existsSync(COMPILED) ? { compiled: [COMPILED] } : {}) };

const RUNS: Record<string, string[]> = {
  "a good one": ["true"],
  "a bad command": ["no-such-command"],
  "a bad option": ["--bogus", "true"],
  "one with volumes": ["-v", "/etc:/x:ro", "--tmpfs", "/y", "true"],
  "a mount that fails": ["-v", "/etc:/x:ro", "--mount", "type=bogus,dst=/y", "true"],
  "one that mounts and makes links inside": [
    "sh",
    "-c",
    "mount -t tmpfs t /tmp; ip link add d0 type dummy; ip link add v0 type veth; true",
  ],
  "a veth pair": ["--net", "veth", "true"],
  "a veth pair and a command that fails": ["--net", "veth", "no-such-command"],
  "a veth pair whose gateway is wrong": ["--net", "veth", "--gateway", "203.0.113.1", "true"],
  "one by the older recipe": ["--chroot", "true"],
  "one with background processes": ["sh", "-c", "sleep 600 & setsid sleep 600 & true"],
  "one in a new time and user namespace": ["--unshare", "user,time", "true"],
};

describe.skipIf(reason !== undefined)("everything is as before after", () => {
  for (const [how, program] of Object.entries(PROGRAMS)) {
    for (const [name, args] of Object.entries(RUNS))
      test(`${name}, ${how}`, async () => {
        const mark = marker();
        const before = await snapshot(mark);
        for (const recipe of ["", "paths", "staged"])
          await shell([...program, "run", "--name", mark, ...args], { env: { NSRUN_ROOT_RECIPE: recipe } });
        expect(await snapshot(mark)).toEqual(before);
      });

    for (const options of [[], ["--net", "veth"], ["--no-init"]]) {
      for (const signal of ["SIGTERM", "SIGINT", "SIGKILL"] as const)
        (options.includes("veth") ? asRoot(VETH) : test)(`${signal} to nsrun run ${options.join(" ")}, ${how}`, async () => {
          const mark = marker();
          const before = await snapshot(mark);
          const held = await hold(["--name", mark, ...options], WAIT, program);
          held.child.kill(signal);
          if (signal !== "SIGKILL" && options[0] === "--no-init") held.child.stdin.end(); // pid 1 has no default actions
          await held.child.exited;
          await held[Symbol.asyncDispose]();
          // the kernel ends a killed nsrun's network namespace in the background
          for (let i = 0; i < 100 && !Bun.deepEquals(await snapshot(mark), before); i++) await Bun.sleep(20);
          expect(await snapshot(mark)).toEqual(before);
        });
    }
  }

  asRoot(VETH)(
    "eight at once with veth pairs, each with addresses of its own",
    async () => {
      const before = await snapshot();
      {
        await using all = new AsyncDisposableStack();
        const script = `ip -o -4 addr show eth0; ${WAIT}`;
        const held = await Promise.all(Array.from({ length: 8 }, () => hold(["--net", "veth"], script)));
        for (const one of held) all.use(one);
        const addresses = await Promise.all(
          held.map(
            async (one) =>
              (await shell(["nsenter", "-t", String(one.pid), "-n", "ip", "-j", "-4", "addr", "show", "eth0"])).stdout,
          ),
        );
        expect(new Set(addresses.map((text) => /"local":"([^"]+)"/.exec(text)?.[1])).size).toBe(8);
        for (const one of held) one.child.stdin.end();
        await Promise.all(held.map((one) => one.child.exited));
      }
      expect(await snapshot()).toEqual(before);
      expect(readdirSync("/run").filter((name) => name.includes("nsrun"))).toEqual([]);
    },
    60_000,
  );
});
