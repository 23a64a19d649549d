/** The container's own terminal, driven and looked at through tmux: what a user sees in his first minute. */
import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { canRun, eventually, marked, marker, NSRUN, parentOf, processes, skipReason, temporary, works } from "./helpers.ts";
import { Screen } from "./tmux.ts";

const reason = skipReason("terminal", [canRun, [works("tmux", "-V"), "tmux is missing"]]);
const RUN = `${NSRUN.join(" ")} run`;

/** nsrun's own pid, by a marker among the command's arguments. */
const supervisor = (mark: string) =>
  eventually(`nsrun ${mark}`, () => marked(mark).find((pid) => processes().get(pid)?.includes("main.ts")));
const command = (mark: string) =>
  eventually(`the command ${mark}`, () =>
    marked(mark).find((pid) => !/main.ts|nsrun-init|tmux/.test(processes().get(pid) ?? "main.ts")),
  );
/** The parent of pid 1. */
const stage = async (mark: string) => parentOf(parentOf(await command(mark)));

describe.skipIf(reason !== undefined)("a terminal of the container's own", () => {
  test("has a name inside, is /dev/console and the controlling terminal", async () => {
    await using screen = await Screen.open();
    await screen.type(`${RUN} -- sh`);
    await screen.shows(/^\/ # $/m);
    expect(await screen.run("tty")).toBe("/dev/pts/0");
    expect(await screen.run("stat -c %t:%T /dev/pts/0 /dev/console /dev/tty")).toBe("88:0\n88:0\n5:0");
    expect(await screen.run("echo x >/dev/tty")).toBe("x");
    expect(await screen.run("ls /dev/pts")).toBe("0     ptmx");
    expect(await screen.text()).not.toContain("can't access tty");
    // session, terminal: fields 6 and 7 of /proc/PID/stat, the shell leads its session
    expect(await screen.run("cut -d' ' -f6,7 /proc/$$/stat; echo $$ 34816")).toMatch(/^(\d+ 34816)\n\1$/);
  });
  test("^C ends the foreground job only; ^Z stops it and fg brings it back", async () => {
    await using screen = await Screen.open();
    await screen.type(`${RUN} -- sh`);
    await screen.shows(/^\/ # $/m);
    await screen.type("sleep 1000 & sleep 1001");
    await Bun.sleep(300);
    await screen.keys("C-c");
    expect(await screen.run("echo $?")).toBe("130");
    expect(await screen.run("jobs")).toMatch(/Running +sleep 1000/);
    await screen.clear();
    await screen.type("sleep 1002");
    await Bun.sleep(300);
    await screen.keys("C-z");
    await screen.shows(/Stopped +sleep 1002/);
    await screen.type("fg %2");
    await Bun.sleep(300);
    await screen.keys("C-c");
    expect(await screen.run("jobs")).not.toContain("1002");
  });
  test("bare nsrun, whose shell is pid 1, has job control as well", async () => {
    await using screen = await Screen.open();
    await screen.type(NSRUN.join(" "));
    await screen.shows(/^\/ # $/m);
    expect(await screen.text()).not.toContain("can't access tty");
    expect(await screen.run("tty; echo $$")).toBe("/dev/pts/0\n1");
    await screen.type("sleep 1000 & sleep 1001");
    await Bun.sleep(300);
    await screen.keys("C-z");
    await screen.shows(/Stopped +sleep 1001/);
    await screen.type("fg %2");
    await Bun.sleep(300);
    await screen.keys("C-c");
    expect(await screen.run("jobs")).toMatch(/^\[1\]\S* +Running +sleep 1000$/);
    await screen.type("exit 3");
    await screen.shows(/^\$ $/m);
    expect(await screen.run("echo $?")).toBe("3");
  });
  test("keys typed before the container is there are not lost", async () => {
    await using screen = await Screen.open();
    await screen.type(`${RUN} -- sh\necho typed ahead; exit 5`);
    await screen.shows(/^typed ahead$/m);
    await screen.shows(/\n\$ $/m);
    expect(await screen.run("echo $?")).toBe("5");
  });
  test("a resize arrives inside, as size and as SIGWINCH", async () => {
    await using screen = await Screen.open(80, 24);
    await screen.type(`${RUN} -- sh -c 'trap "stty size" WINCH; stty size; while :; do sleep 0.05; done'`);
    await screen.shows(/^24 80$/m);
    await screen.tmux("resize-window", "-x", "101", "-y", "31");
    await screen.shows(/^31 101$/m);
    await screen.keys("C-c");
  });
  test("vi and top draw and listen", async () => {
    await using screen = await Screen.open();
    await screen.type(`${RUN} -- sh`);
    await screen.shows(/^\/ # $/m);
    await screen.type("vi /tmp/a");
    await screen.shows(/^~$/m);
    await screen.keys("i");
    await screen.tmux("send-keys", "-l", "written in vi");
    await screen.keys("Escape");
    await Bun.sleep(300); // a key right after Escape would be Alt and that key
    await screen.type(":wq");
    await screen.shows(/^\/ # $/m);
    expect(await screen.run("cat /tmp/a")).toBe("written in vi");
    await screen.type("top");
    await screen.shows(/PID +PPID/);
    await screen.shows(/nsrun-init/);
    await screen.keys("q");
    expect(await screen.run("echo back")).toBe("back");
  });
  test("1 MB pasted arrives whole", async () => {
    using dir = temporary();
    const text = Array.from({ length: 16384 }, (_, i) => `${i}`.padStart(63, "-"))
      .join("\n")
      .concat("\n");
    writeFileSync(dir.file("paste"), text);
    await using screen = await Screen.open();
    await screen.type(`${RUN} -v ${dir.path}:/out -- sh -c 'stty -echo; echo go; cat >/out/got; echo ended'`);
    await screen.shows(/^go$/m);
    await screen.tmux("load-buffer", dir.file("paste"));
    await screen.tmux("paste-buffer");
    await eventually("all of it", () => readFileSync(dir.file("got")).length === text.length, 30000);
    await screen.keys("C-d");
    await screen.shows(/^ended$/m);
    expect(readFileSync(dir.file("got"), "utf8") === text).toBe(true);
  });
});

describe.skipIf(reason !== undefined)("the caller's terminal is as it was", () => {
  const ways: readonly (readonly [string, string, ((mark: string) => Promise<void>) | undefined, RegExp | number])[] = [
    ["after an exit", "exit 3", undefined, 3],
    ["after a crash", "kill -SEGV $$", undefined, 139],
    ["after SIGTERM", "trap 'exit 5' TERM; echo up; while :; do sleep 0.1; done", kill("SIGTERM", supervisor), 5],
    ["after SIGHUP", "echo up; cat", kill("SIGHUP", supervisor), 129],
    ["after SIGINT, twice", "trap '' INT; echo up; cat", twice, 137],
    ["after kill -9 of the container", "echo up; cat; exit 9", kill("SIGKILL", command), 137],
    ["after kill -9 of nsrun", "echo up; cat", kill("SIGKILL", supervisor), 137],
    ["after kill -9 of the stage, which carries the bytes", "echo up; cat; exit 9", kill("SIGKILL", stage), 125],
    ["after a start that fails", "", undefined, 127],
  ];
  function kill(signal: NodeJS.Signals, whom: (mark: string) => Promise<number>) {
    return async (mark: string) => void process.kill(await whom(mark), signal);
  }
  async function twice(mark: string): Promise<void> {
    const pid = await supervisor(mark);
    process.kill(pid, "SIGINT");
    await Bun.sleep(200);
    process.kill(pid, "SIGINT");
  }
  for (const [name, script, act, code] of ways) {
    test(name, async () => {
      const mark = marker();
      await using screen = await Screen.open();
      const before = await screen.run("stty -g");
      await screen.prompt();
      await screen.clear();
      await screen.type(
        script === "" ? `${RUN} -- /no/such/command` : `${RUN} -- sh -c "${script.replace(/\$/g, "\\$")}" ${mark}`,
      );
      if (act) {
        await screen.shows(/^up$/m);
        await act(mark);
      }
      await screen.shows(/\$ $/m);
      expect(await screen.run("echo $?")).toBe(String(code));
      expect(await screen.run("stty -g")).toBe(before);
      await eventually(`nothing left of ${mark}`, () => marked(mark).length === 0);
    });
  }
  test("while nsrun is stopped by SIGTSTP, and raw again after fg", async () => {
    const mark = marker();
    await using screen = await Screen.open();
    const before = await screen.run("stty -g");
    await screen.type(`${RUN} -- sh -c 'echo up; cat; echo over' ${mark}`);
    await screen.shows(/^up$/m);
    process.kill(await supervisor(mark), "SIGTSTP");
    await screen.shows(/Stopped/);
    expect(await screen.run("stty -g")).toBe(before);
    await screen.type("fg");
    await screen.raw();
    await screen.type("line one");
    await screen.shows(/^line one\nline one$/m); // echoed once, by the inner terminal, and then by cat
    await screen.keys("C-d");
    await screen.shows(/^over$/m);
    expect(await screen.run("stty -g")).toBe(before);
  });
  test("in the background nsrun is stopped like any program that wants the terminal", async () => {
    const mark = marker();
    await using screen = await Screen.open();
    await screen.type(`${RUN} -- sh -c 'echo up; cat' ${mark} &`);
    // until the shell says so: all of Bun's threads have to stop before it hears of it; the test's timeout ends the wait
    while (!(await screen.run("jobs")).includes("Stopped")) await Bun.sleep(20);
    await screen.type("fg");
    await screen.shows(/^up$/m);
    await screen.keys("C-d");
    expect(await screen.run("echo $?")).toBe("0");
  });
  for (const [what, script] of [
    ["", "echo up; cat"],
    [" that will not hear of it, after the timeout", "trap '' HUP TERM; echo up; while :; do sleep 0.1; done"],
  ] as const)
    test(`closing the window ends the container${what}`, async () => {
      const mark = marker();
      await using screen = await Screen.open();
      await screen.type(`${RUN} --stop-timeout 0.5 -- sh -c "${script}" ${mark}`);
      await screen.shows(/^up$/m);
      await screen.tmux("kill-session");
      await eventually(`nothing left of ${mark}`, () => marked(mark).length === 0);
    });
});
