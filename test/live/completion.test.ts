/** The completions as a user meets them: bash, zsh and fish in a terminal, keys typed, what stands on the line read. */
import { describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { NSRUN, skipReason, type Temporary, temporary } from "./helpers.ts";
import { Screen } from "./tmux.ts";

interface Shell {
  /** Started without anybody's settings, */
  readonly start: string;
  /** made to know nsrun's completions, and to list what is ambiguous. */
  readonly setup: string;
}

const ZSH = "PS1='> '; bindkey -e; autoload -Uz compinit";

const SHELLS: Readonly<Record<string, Shell>> = {
  bash: {
    start: "bash --norc --noprofile",
    setup: "PS1='> '; bind 'set show-all-if-ambiguous on'; source <(nsrun completion bash)",
  },
  zsh: { start: "zsh -f", setup: `${ZSH}; compinit -D -u; source <(nsrun completion zsh)` },
  "zsh, from $fpath": {
    start: "zsh -f",
    setup: `${ZSH}; nsrun completion zsh >.bin/_nsrun; fpath=($PWD/.bin $fpath); compinit -D -u`,
  },
  fish: {
    start: "fish --no-config",
    setup: "function fish_prompt; echo '> '; end; set -g fish_autosuggestion_enabled 0; nsrun completion fish | source",
  },
};

/** What is typed before Tab, and what then stands there; `@` is typed after Tab and shows whether there is a blank. */
const CASES: readonly (readonly [string, string])[] = [
  ["nsrun he", "nsrun help @"],
  ["nsrun help unp", "nsrun help unpack @"],
  ["nsrun completion z", "nsrun completion zsh @"],
  ["nsrun run --read", "nsrun run --read-only @"],
  ["nsrun --read", "nsrun --read-only @"],
  ["nsrun run --net p", "nsrun run --net pasta @"],
  ["nsrun run --net=p", "nsrun run --net=pasta @"],
  ["nsrun run --net=ns:/pro", "nsrun run --net=ns:/proc/@"],
  ["nsrun run --share pid,mn", "nsrun run --share pid,mnt@"],
  ["nsrun run --join ut", "nsrun run --join uts=@"],
  ["nsrun run --join uts=/pro", "nsrun run --join uts=/proc/@"],
  ["nsrun run --ulimit nof", "nsrun run --ulimit nofile=@"],
  ["nsrun run --mount type=bind,src=/pro", "nsrun run --mount type=bind,src=/proc/@"],
  ["nsrun run -v /a:/b:nosu", "nsrun run -v /a:/b:nosuid@"],
  ["nsrun run -v /pro", "nsrun run -v /proc/@"],
  ["nsrun run --rootfs ho", "nsrun run --rootfs host @"],
  ["nsrun run --rootfs my", "nsrun run --rootfs my\\ root/@"],
  ["nsrun run -- mkfif", "nsrun run -- mkfifo @"],
  ["nsrun run cat /pro", "nsrun run cat /proc/@"],
  ["nsrun unpack arch", "nsrun unpack archive.tar @"],
  ["nsrun unpack archive.tar my", "nsrun unpack archive.tar my\\ root/@"],
  ["nsrun run --rootfs ~/my", "nsrun run --rootfs ~/my\\ root/@"],
  ["nsrun unpack archive.tar ~/my", "nsrun unpack archive.tar ~/my\\ root/@"],
  ["nsrun run --mount type=bind,src=my", "nsrun run --mount type=bind,src=my\\ root/@"],
  ["nsrun run -v $PWD/my", "nsrun run -v $PWD/my\\ root/@"],
  ["nsrun run --rootfs 'my root' --net pa", "nsrun run --rootfs 'my root' --net pasta @"],
  ["nsrun run -v my\\ root:/x:nosu", "nsrun run -v my\\ root:/x:nosuid@"],
  ["nsrun run -e HOM", "nsrun run -e HOME @"],
  ["echo a | nsrun run --net pa", "echo a | nsrun run --net pasta @"],
  ["A=1 nsrun run --net pa", "A=1 nsrun run --net pasta @"],
  ["~/.bin/nsrun run --net pa", "~/.bin/nsrun run --net pasta @"],
  [".bin/nsrun run --net pa", ".bin/nsrun run --net pasta @"],
];

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");

/** A terminal with `shell` in a directory that has a file, a directory with a blank in its name, and nsrun in its PATH. */
async function open({ start, setup }: Shell, dir: Temporary): Promise<Screen> {
  mkdirSync(dir.file("my root"));
  writeFileSync(dir.file("archive.tar"), "");
  mkdirSync(dir.file(".bin"));
  writeFileSync(dir.file(".bin/nsrun"), `#!/bin/sh\nexec ${NSRUN.map((word) => `'${word}'`).join(" ")} "$@"\n`);
  chmodSync(dir.file(".bin/nsrun"), 0o755);
  const screen = await Screen.open(200, 50);
  await screen.type(`cd ${dir.path}; PATH=${dir.path}/.bin:$PATH HOME=${dir.path} XDG_RUNTIME_DIR=${dir.path} exec ${start}`);
  await screen.type(setup);
  await screen.shows(/^> $/m);
  return screen;
}

for (const [name, shell] of Object.entries(SHELLS)) {
  const [program = ""] = shell.start.split(" ");
  const reason = skipReason(`completion for ${name}`, [
    [Bun.which("tmux") !== null, "tmux is not installed"],
    [Bun.which(program) !== null, `${program} is not installed`],
  ]);
  describe.skipIf(reason !== undefined)(name, () => {
    test("completes commands, options and their values", async () => {
      using dir = temporary();
      await using screen = await open(shell, dir);
      for (const [typed, expected] of CASES) {
        await screen.keys("C-u");
        await screen.tmux("send-keys", "-l", typed);
        await screen.keys("Tab");
        await screen.tmux("send-keys", "-l", "@");
        const line = await screen.shows(new RegExp(`^> ${escaped(typed)}.*@ *$`, "m"));
        expect(/^> .*@(?= *$)/m.exec(line)?.[0]).toBe(`> ${expected}`);
      }
    });
    test("lists what is possible", async () => {
      using dir = temporary();
      await using screen = await open(shell, dir);
      await screen.tmux("send-keys", "-l", "nsrun run --net ");
      await screen.keys("Tab");
      await screen.shows(/^(?!> )(?=.*\bnone\b)(?=.*\bhost\b)(?=.*\bveth\b)(?=.*\bpasta\b).*\bns:/m);
    });
  });
}
