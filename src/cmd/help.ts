/** Help texts and every command but `run`, by commander, from the same table as the parser. */
import { Command, Option as CommanderOption } from "commander";
import { type Option, RUN_OPTIONS } from "./options.ts";

const WIDTH = { helpWidth: Math.min(process.stdout.columns ?? 100, 120) };

function commanderOption(option: Option): CommanderOption {
  const short = option.short ? `-${option.short}, ` : "";
  const long = option.negative === true ? `--no-${option.name}` : `--${option.name}`;
  return new CommanderOption(`${short}${long}${option.value ? ` <${option.value}>` : ""}`, option.help).helpGroup(
    `${option.group}:`,
  );
}

const EXAMPLES = `
Examples:
  nsrun                                          the article's full container: a shell with its own everything
  nsrun run -- ps                                one command in a fresh busybox root
  nsrun run --rootfs rootfs.tar.gz -- ls -l /dev
  nsrun run --rootfs host -- make test           the host's programs, all changes thrown away
  nsrun run --net veth --cap-add net_raw -- ping -c1 10.0.0.1
  nsrun run --net pasta -p 8080:80 -- sh         the host's network without root, and a port into the container
  nsrun run -v "$PWD:/src:ro" --cwd /src -- ls

Exit code: the command's own; 128+n when signal n killed it; 125 nsrun failed, 126 not executable, 127 not found`;

/** The help of `run` (and of bare `nsrun`, which takes the same options). */
function runHelp(): Command {
  const command = new Command("run")
    .configureHelp(WIDTH)
    .summary("run a command in a new container")
    .description("Runs COMMAND in new namespaces with a root of its own. Nothing after the first non-option is parsed.")
    .usage("[options] [--] COMMAND [ARG…]")
    .addHelpText("after", EXAMPLES);
  for (const option of RUN_OPTIONS) command.addOption(commanderOption(option));
  return command;
}

/** The whole program. Commands other than `run` get their actions from other.ts. */
export function program(): Command {
  return new Command("nsrun")
    .description(
      "Linux containers from TypeScript. Without a command: a busybox shell with its own pid, net, mnt, uts, ipc and cgroup namespaces.",
    )
    .usage("[run options] | COMMAND …")
    .configureHelp(WIDTH)
    .addCommand(runHelp());
}

/** Prints the help of the program or of `name`. */
export function printHelp(name: string | undefined): number {
  const top = program();
  const command = name === undefined ? top : (top.commands.find((c) => c.name() === name) ?? top);
  command.outputHelp();
  return 0;
}
