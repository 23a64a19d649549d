/** A terminal that is not ours: tmux draws what nsrun writes, and types what a user would. */
import { CHECKOUT, eventually, processes, shell, temporary } from "./helpers.ts";

let counter = 0;

/** A tmux server of its own with one window, in which /bin/sh runs. It keeps no terminal modes itself, so the program's show. */
export class Screen implements AsyncDisposable {
  readonly #dir = temporary();
  readonly #socket = this.#dir.file("tmux");

  static async open(columns = 80, rows = 24): Promise<Screen> {
    const screen = new Screen();
    await screen.tmux("-f", "/dev/null", "new-session", "-d", "-x", `${columns}`, "-y", `${rows}`, "env", "PS1=$ ", "sh");
    await screen.shows(/^\$ /m);
    return screen;
  }
  async tmux(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await shell(["tmux", "-S", this.#socket, ...args], { cwd: CHECKOUT });
    if (code !== 0) throw new Error(`tmux ${args[0]}: ${stderr}`);
    return stdout;
  }
  /** What is to be seen, with what has scrolled away above it. */
  async text(): Promise<string> {
    return await this.tmux("capture-pane", "-p", "-J", "-S", "-2000");
  }
  /** The screen as soon as it matches. */
  async shows(pattern: RegExp, ms = 10000): Promise<string> {
    let last = "";
    const end = performance.now() + ms;
    for (;;) {
      last = await this.text();
      if (pattern.test(last)) return last;
      if (performance.now() > end) throw new Error(`not on the screen: ${pattern}\n${last}`);
      await Bun.sleep(20);
    }
  }
  /** Types `text` and Enter. */
  async type(text: string): Promise<void> {
    await this.tmux("send-keys", "-l", text);
    await this.keys("Enter");
  }
  /** Keys by tmux's names: C-c, C-z, Escape. */
  async keys(...keys: string[]): Promise<void> {
    await this.tmux("send-keys", ...keys);
  }
  /** Clears what was seen, so that an old line is not taken for a new one. */
  async clear(): Promise<void> {
    await this.tmux("send-keys", "-R");
    await this.tmux("clear-history");
  }
  /** Until a shell waits for a line: what is typed before may be read by the program that is just ending. */
  async prompt(): Promise<void> {
    await this.shows(/[$#] \n*$/);
  }
  /** Until a program reads the terminal letter by letter: what is typed before is echoed by the terminal itself. */
  async raw(): Promise<void> {
    const tty = (await this.tmux("display-message", "-p", "#{pane_tty}")).trim();
    await eventually("a raw terminal", () => Bun.spawnSync(["stty", "-F", tty, "-a"]).stdout.includes("-icanon"));
  }
  /** Types a command at the prompt and gives what it printed before the next one. */
  async run(command: string): Promise<string> {
    await this.prompt();
    const mark = `end${++counter}`;
    await this.type(`${command}; echo ${mark.slice(0, 3)}''${mark.slice(3)}`);
    const text = await this.shows(new RegExp(`^${mark}$`, "m"));
    const lines = text.split("\n");
    const last = lines.lastIndexOf(mark);
    const first = lines.findLastIndex((line, i) => i < last && line.includes(`${mark.slice(0, 3)}''`));
    return lines
      .slice(first + 1, last)
      .join("\n")
      .trim();
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.tmux("kill-server").catch(() => {});
    await eventually("the end of tmux", () => ![...processes().values()].some((argv) => argv.includes(this.#socket)));
    this.#dir[Symbol.dispose]();
  }
}
