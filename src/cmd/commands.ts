/**
 * Every command, as data: parser (other.ts), help (help.ts), completions (complete.ts) and man page (scripts/man.ts) are made
 * from this table and from options.ts. A new command is one entry here and one file with its action.
 */
import type { Entry } from "./entry.ts";
import { type Option, runOptions } from "./options.ts";

const UNPACK = "Unpacking";
const JSON_OPTION: Option = { group: "Options", name: "json", help: "as JSON" };

export const COMMANDS: readonly Entry[] = [
  {
    name: "run",
    summary: "run a command in a new container",
    about:
      "Runs COMMAND in new namespaces with a root of its own, and exits with its exit code. Nothing after the first word that is no option is parsed: it is COMMAND's.",
    operands: [
      { value: "COMMAND", help: "looked up in the container's PATH" },
      { value: "ARG", help: "its arguments", optional: true, many: true },
    ],
    options: runOptions(),
    examples: [
      ["run -- ps", "one command in a fresh busybox root"],
      ["run --rootfs rootfs.tar.gz -- ls -l /dev", "a root from an archive, unpacked once, never modified"],
      ["run --rootfs host -- make test", "the host's programs, all changes thrown away (root)"],
      ["run --net veth -- ping -c1 10.0.0.1", "a veth pair with free addresses (root)"],
      ["run --net pasta -p 8080:80 -- sh", "the host's network without root, and a port into the container"],
      ['run -v "$PWD:/src:ro" --cwd /src -- ls', "a directory of the host"],
    ],
    raw: true,
    load: async () => {
      const { runCommand } = await import("./run.ts");
      return (words) => runCommand(words, false);
    },
  },
  {
    name: "unpack",
    summary: "unpack a root file system archive safely",
    about:
      "Unpacks TAR (.tar, .gz, .xz, .zst, .bz2; - is standard input) below DIR, as tar -C DIR -xpf TAR does, but no entry can land outside DIR. Owners and set-id bits are kept as root only. Nothing is unpacked that overlayfs takes for a deleted file. What was written stays when it fails or is ended, as with tar.",
    operands: [
      { value: "TAR", help: "the archive" },
      { value: "DIR", help: "an existing directory, or one to be made" },
    ],
    options: [
      { group: UNPACK, name: "devices", help: "make device nodes too (root only)" },
      { group: UNPACK, name: "same-owner", negative: true, help: "all is ours, without set-id bits; default without root" },
      ...runOptions().filter(({ name }) => name.startsWith("max-")),
    ],
    examples: [["unpack rootfs.tar.xz rootfs", "then: nsrun run --rootfs rootfs -- sh"]],
    load: async () => (await import("./unpack.ts")).unpack,
  },
  {
    name: "cache list",
    alone: true,
    summary: "what is kept of archives and busyboxes",
    about:
      "Unpacked archives and the default root are kept in $NSRUN_CACHE, /var/cache/nsrun (root) or ~/.cache/nsrun. Lists each with its size, when it was used last and whether it is in use; the longest unused first.",
    options: [JSON_OPTION],
    examples: [["cache list", "names, sizes, last use"]],
    load: async () => (await import("./cache.ts")).cacheList,
  },
  {
    name: "cache prune",
    summary: "remove what no running nsrun uses",
    about: "Removes entries of the cache that no running nsrun uses; they are made again when they are wanted.",
    options: [
      { group: "Options", name: "older-than", value: "DAYS", help: "only what was not used for so long" },
      { ...JSON_OPTION, help: "what was removed, as JSON" },
    ],
    examples: [["cache prune --older-than 30", "what was not used for a month"]],
    load: async () => (await import("./cache.ts")).cachePrune,
  },
  {
    name: "doctor",
    summary: "try what works on this machine, and say what would help",
    about:
      "Tries every feature of the kernel that nsrun uses in throw-away children, as the user who asks. Exit code 0 when nsrun run works here, else 1.",
    options: [{ ...JSON_OPTION, help: "as JSON: docs/doctor.md" }],
    examples: [
      ["doctor", "a line for each feature: what is lost without it, and the command that helps"],
      ["doctor --json", "for scripts"],
    ],
    load: async () => {
      const { doctorCommand } = await import("./doctor.ts");
      return (_, options) => doctorCommand(options);
    },
  },
  {
    name: "demo",
    summary: "lessons: what a container is made of, done for real",
    about:
      "Lists the lessons, or runs those named: each says what it will do, does it, and shows what was observed beside what was predicted (exit code 1 when one differs).",
    operands: [{ value: "NAME", help: "a lesson of the list", optional: true, many: true }],
    options: [
      { group: "Options", name: "all", help: "run all lessons" },
      { group: "Options", name: "explain", help: "show the plans of a lesson, run nothing" },
      { group: "Options", name: "code", help: "print the program that does the same with the library" },
      { ...JSON_OPTION, help: "results as JSON" },
    ],
    examples: [
      ["demo", "the list"],
      ["demo pid net", "two lessons"],
      ["demo full --code", "the program of a lesson"],
    ],
    load: async () => (await import("./demo.ts")).demoCommand,
  },
  {
    name: "seccomp dump",
    summary: "a system call filter as a list of instructions",
    about: "Prints the default filter, or FILE's (Docker's or OCI's JSON), as nsrun run would load it: seccomp(2).",
    operands: [{ value: "FILE", help: "a profile; default: nsrun's own", optional: true }],
    options: [
      { group: "Options", name: "arch", value: "x86_64|aarch64", help: "another machine than this one" },
      ...runOptions().filter(({ name }) => name.startsWith("cap-")),
      { ...JSON_OPTION, help: "struct sock_filter[] as JSON" },
    ],
    examples: [["seccomp dump", "the default filter"]],
    load: async () => (await import("./seccomp.ts")).seccompDump,
  },
  {
    name: "completion",
    summary: "completions for a shell",
    about: "Prints a script that teaches the shell to complete nsrun's commands, options and their values.",
    operands: [{ value: "bash|zsh|fish", help: "the shell" }],
    examples: [
      ["completion bash >/etc/bash_completion.d/nsrun", "for all users; for one shell: source <(nsrun completion bash)"],
      ["completion zsh >/usr/local/share/zsh/site-functions/_nsrun", "for one shell: source <(nsrun completion zsh)"],
      ["completion fish >~/.config/fish/completions/nsrun.fish", "for one shell: nsrun completion fish | source"],
    ],
    load: async () => (await import("./completion.ts")).completion,
  },
  {
    name: "help",
    summary: "help for a command",
    about: "Prints what nsrun COMMAND --help prints; without COMMAND, the list of commands.",
    operands: [{ value: "COMMAND", help: "one of the list", optional: true, many: true }],
    examples: [["help run", "all options of run"]],
    raw: true, // commander would take longer than the help itself
    load: async () => (await import("./help.ts")).help,
  },
  {
    name: "__complete",
    summary: "candidates for the last word",
    about: "Prints what could stand in the last WORD's place: the scripts of completion ask it.",
    examples: [["__complete run --net ''", "none, host, …"]],
    raw: true,
    hidden: true,
    load: async () => (await import("./complete.ts")).complete,
  },
];

export const visible = (): readonly Entry[] => COMMANDS.filter((entry) => !entry.hidden);

/** The command that `words` begin with, and how many of them are its name. */
export function findCommand(words: readonly string[], commands = COMMANDS): { entry: Entry; length: number } | undefined {
  const [first = "", second = ""] = words;
  const two = commands.find(({ name }) => name === `${first} ${second}`);
  if (two) return { entry: two, length: 2 };
  const one = commands.find(({ name, alone }) => name === first || (alone && name.startsWith(`${first} `)));
  // `cache lists` is no `cache list` with an operand
  if (one?.alone && second !== "" && !second.startsWith("-")) return undefined;
  return one && { entry: one, length: 1 };
}
