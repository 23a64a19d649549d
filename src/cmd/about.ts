/** What the help and the man page say of the program as a whole. */
import type { Example } from "./entry.ts";

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
