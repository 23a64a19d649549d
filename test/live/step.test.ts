/** `--step`, driven through tmux: Enter, a shell in the half-made container, and q, after which nothing is left. */
import { describe, expect, test } from "bun:test";
import { canRun, NSRUN, nsrun, shell, skipReason, snapshot, works } from "./helpers.ts";
import { Screen } from "./tmux.ts";

const reason = skipReason("--step", [
  canRun,
  [works("tmux", "-V") && works("nsenter", "--version"), "tmux or nsenter is missing"],
]);
const RUN = `${NSRUN.join(" ")} run --step`;

/** The number of the step that the last question is about. */
const at = async (screen: Screen): Promise<number> =>
  Number(
    (await screen.text())
      .match(/^step (\d+) of \d+/gm)
      ?.at(-1)
      ?.split(" ")[1] ?? 0,
  );

/** Enter, until the question about a step with `label` is there. */
async function until(screen: Screen, label: string): Promise<void> {
  for (let i = 0; i < 300; i++) {
    const before = await at(screen);
    if (
      (await screen.text())
        .split(/^step /m)
        .at(-1)!
        .includes(label)
    )
      return;
    await screen.keys("Enter");
    for (let waits = 0; waits < 500 && (await at(screen)) === before; waits++) await Bun.sleep(5);
  }
  throw new Error(`never came to ${label}:\n${await screen.text()}`);
}

describe.skipIf(reason !== undefined)("--step", () => {
  test("goes on with Enter, step by step, to the command", async () => {
    await using screen = await Screen.open(120, 50);
    await screen.type(`${RUN} --hostname stepped -- hostname; echo "code $?"`);
    await screen.shows(/^step 1 of \d+, parent$/m);
    await until(screen, "execute /bin/hostname");
    await screen.keys("Enter");
    await screen.shows(/^stepped$/m);
    await screen.shows(/^code 0$/m);
  }, 60000);

  test("s is a shell in the half-made container: proc is there, /dev not yet, the name not yet", async () => {
    await using screen = await Screen.open(120, 50);
    await screen.type(`${RUN} --hostname stepped -- true; echo "code $?"`);
    await screen.shows(/^step 1 of/m);
    await until(screen, "mount proc on /proc");
    await screen.type("s");
    await screen.shows(/half-made # $/m);
    expect(await screen.run("readlink /proc/self/ns/uts | grep -c uts")).toContain("1");
    expect(await screen.run("hostname")).not.toContain("stepped");
    await screen.type("exit");
    await screen.shows(/undoes everything > $/m);
    await until(screen, "execute /bin/true");
    await screen.keys("Enter");
    await screen.shows(/^code 0$/m);
  }, 60000);

  for (const [where, label] of [
    ["the parent's steps", "create the tmpfs"],
    ["the stage's", "clone the container"],
    ["the container's", "swap the roots"],
    ["the command's", "umask 022"],
  ] as const) {
    test(`q before one of ${where} undoes everything`, async () => {
      if (where === "the parent's steps" && process.getuid?.() !== 0) return;
      const before = await snapshot("nsrun-init");
      {
        await using screen = await Screen.open(120, 50);
        await screen.type(`${RUN} -- true; echo "code $?"`);
        await screen.shows(/^step 1 of/m);
        await until(screen, label);
        await screen.type("q");
        await screen.shows(/^code 125$/m);
        expect(await screen.text()).toMatch(/nsrun: stopped before step \d+ of \d+: /);
      }
      expect(await snapshot("nsrun-init")).toEqual(before);
    }, 60000);
  }

  test("without a terminal it is refused", async () => {
    const { code, stderr } = await shell(["setsid", "-w", ...NSRUN, "run", "--step", "--", "true"]);
    expect([code, stderr]).toEqual([125, "nsrun: --step needs a terminal, to ask at each step\n"]);
  });

  test("together with --timings it is refused", async () => {
    expect((await nsrun(["--step", "--timings", "--", "true"])).stderr).toContain("no time worth measuring");
  });
});
