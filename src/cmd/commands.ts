/**
 * Every command, as data: parser (other.ts), help (help.ts), completions (complete.ts) and man page (scripts/man.ts) are made
 * from this table and from options.ts. A new command is one entry here and one file with its action.
 */
import { HELP, type Option, RUN_OPTIONS } from "./options.ts";

/** What a command is given besides options. */
export interface Operand {
  /** As in the usage, and as `value` of an option: `TAR`, `DIR`, `bash|zsh|fish`. */
  readonly value: string;
  readonly help: string;
  readonly optional?: true;
  /** The last one may be repeated. */
  readonly many?: true;
}

/** A command line (without the word `nsrun`) that works, and what it is good for. */
export type Example = readonly [line: string, what: string];

/** Returns the exit code. Options by {@link fieldOf} their names, as commander has them. */
export type Action = (operands: readonly string[], options: Readonly<Record<string, unknown>>) => Promise<number>;

export interface Entry {
  /** One word, or two for a command of a command: `seccomp dump`. */
  readonly name: string;
  /** A line of the list of commands: lower case, no full stop. */
  readonly summary: string;
  /** Sentences. */
  readonly about: string;
  readonly operands?: readonly Operand[];
  readonly options?: readonly Option[];
  /** At least one. */
  readonly examples: readonly Example[];
  /** Its words reach the action as they are. With options: after the first operand none is nsrun's, as with run. */
  readonly raw?: true;
  /** In no list: what other programs call. */
  readonly hidden?: true;
  /** The action's file is loaded when it is wanted, and only then. */
  readonly load: () => Promise<Action>;
}

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
    options: RUN_OPTIONS,
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
      "Unpacks TAR (.tar, .gz, .xz, .zst, .bz2) below DIR. No entry can land outside DIR; device nodes and owners only as root.",
    operands: [
      { value: "TAR", help: "the archive" },
      { value: "DIR", help: "an existing directory, or one to be made" },
    ],
    examples: [["unpack rootfs.tar.xz rootfs", "then: nsrun run --rootfs rootfs -- sh"]],
    load: async () => (await import("./unpack.ts")).unpack,
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

/** The examples of the program's own help. */
export const EXAMPLES: readonly Example[] = [
  ["", "the article's full container: a shell with its own everything"],
  ["--ip 10.9.0.2/24 --host-ip 10.9.0.1/24", "the same with other addresses (root)"],
  ["run -- ps", "one command in a fresh busybox root"],
  ["help run", "all options of run, which are those of nsrun without a command as well"],
];

export const ABOUT =
  "Linux containers from TypeScript. Without a command: a busybox shell with its own pid, net, mnt, uts, ipc and cgroup namespaces, with the options of run.";

export const EXIT_CODES: readonly (readonly [string, string])[] = [
  ["0-124", "the command's own"],
  ["125", "nsrun itself failed, usage errors included"],
  ["126", "the command cannot be executed"],
  ["127", "the command is not there"],
  ["128+N", "signal N killed the command"],
];

export const ENVIRONMENT: readonly (readonly [string, string])[] = [
  ["NSRUN_BUSYBOX", "a static busybox for the default root"],
  ["NSRUN_CACHE", "where archives and the busybox tree are kept; root: /var/cache/nsrun, else ~/.cache/nsrun"],
  ["NSRUN_ROOT_RECIPE", "paths: the way of making a root for kernels before 6.15"],
  ["NSRUN_DEBUG", "1: stack traces of nsrun's own errors"],
  ["NO_COLOR", "when not empty: no colours on a terminal either"],
];

export const visible = (): readonly Entry[] => COMMANDS.filter((entry) => !entry.hidden);

/** The command that `words` begin with, and how many of them are its name. */
export function findCommand(words: readonly string[]): { entry: Entry; length: number } | undefined {
  for (const length of [2, 1]) {
    const entry = COMMANDS.find(({ name }) => name === words.slice(0, length).join(" "));
    if (entry) return { entry, length: entry.name.split(" ").length };
  }
  return undefined;
}

/** All options that a command takes. */
export const optionsOf = (entry: Entry): readonly Option[] => [...(entry.options ?? []), HELP];

/** `COMMAND [ARG…]` */
export const operandsText = (entry: Entry): string =>
  (entry.operands ?? [])
    .map(({ value, optional, many }) => `${optional ? "[" : ""}${value}${many ? "…" : ""}${optional ? "]" : ""}`)
    .join(" ");

/** `nsrun run [OPTION…] [--] COMMAND [ARG…]` */
export function usage(entry: Entry): string {
  const end = entry.raw && entry.options ? "[--]" : "";
  return ["nsrun", entry.name, entry.options?.length ? "[OPTION…]" : "", end, operandsText(entry)].filter(Boolean).join(" ");
}

/** `-p, --publish [ADDR:]HOST:CONTAINER`, `--no-init`, `--plan[=FACE]` */
export function optionText({ name, short, value, optional, negative }: Option): string {
  const long = `${short ? `-${short}, ` : ""}--${negative ? "no-" : ""}${name}`;
  if (value === undefined) return long;
  return optional ? `${long}[=${value}]` : `${long} ${value}`;
}
