/** container(): a world that commands join one after the other, or at the same time. */
import { NsrunError } from "../errors.ts";
import { AT_FDCWD, O, SIGNALS } from "../ffi/flags.ts";
import { failed, sys } from "../ffi/syscall.ts";
import { buildJoin } from "../plan/join.ts";
import type { ContainerSpec, ProcessSpec } from "../plan/spec.ts";
import { complete, endOnAbort, launch, type RunResult, resultOf, stdioSlots } from "./box.ts";
import { CONTAINER, checkCommand, checkOptions, EXEC } from "./checked.ts";
import { type Ended, Supervised } from "./container.ts";
import { explainExec } from "./explain.ts";
import { explained } from "./explained.ts";
import type { ContainerOptions, ExecOptions } from "./options.ts";
import { overlayEnvironment } from "./process.ts";
import { Slots } from "./slots.ts";
import { openLower } from "./source.ts";
import { refuseNul, workingDirectory } from "./spec.ts";
import { Streams } from "./stdio.ts";

/** A running container whose pid 1 is nsrun's init. `await using box = await container({…})` ends it with its block. */
export class Container implements AsyncDisposable {
  readonly #process: Supervised;
  constructor(
    process: Supervised,
    readonly spec: ContainerSpec,
  ) {
    this.#process = process;
  }
  /** pid 1 as the host sees it: for nsenter, /proc. */
  get pid(): number {
    return this.#process.pid;
  }
  /** Fulfilled when the container is gone, however it went. */
  get exited(): Promise<Ended> {
    return this.#process.ended;
  }

  /** Runs a command inside. Like `nsenter -t PID -a COMMAND`. */
  async exec(command: readonly string[] | string, options: ExecOptions = {}): Promise<RunResult> {
    const args = typeof command === "string" ? ["/bin/sh", "-c", command] : command;
    checkCommand(args);
    checkOptions(options, EXEC);
    if (args.length === 0 || args[0] === "") throw new NsrunError("no command given");
    refuseNul(args, "the command");
    for (const key in options) refuseNul(options[key as keyof ExecOptions], key);
    const cwd = workingDirectory(options, undefined);
    const streams = new Streams([options.stdin ?? "ignore", options.stdout ?? "pipe", options.stderr ?? "pipe"], options.input);
    try {
      const process = await this.#join(args, { ...options, cwd }, streams);
      streams.started();
      try {
        return await resultOf(process, streams);
      } finally {
        await process.closed;
      }
    } catch (error) {
      streams.close();
      throw await explained(error);
    }
  }

  async #join(args: readonly string[], options: ExecOptions, streams: Streams): Promise<Supervised> {
    const process = await this.#processSpec(args, options, streams); // what may throw, before anything is open
    const slots = new Slots();
    const { pidfd } = this.#process;
    slots.set("pidfd", pidfd);
    slots.own("root", sys("openat", AT_FDCWD, `/proc/${this.pid}/root`, O.O_PATH | O.O_CLOEXEC, 0));
    // alive now: so the pid in that path was still the container's
    const alive = sys("pidfd_send_signal", pidfd, 0, null, 0);
    if (alive < 0) {
      slots.close();
      throw failed(alive, "join the container", "it has ended");
    }
    stdioSlots(slots, streams);
    const root = slots.get("root");
    const place = { root, named: false, mounts: [], landlock: process.landlock !== undefined };
    const explain = (path: string, errno: number) => explainExec(place, path, errno);
    return new Supervised({ plan: buildJoin(this.spec, process), slots, title: this.spec.name, explainExec: explain }).start();
  }

  async #processSpec(args: readonly string[], options: ExecOptions, streams: Streams): Promise<ProcessSpec> {
    const base = this.spec.process;
    let who: { uid: number; gid: number } = base;
    if (options.user !== undefined) {
      const { resolveUser } = await import("../rootfs/accounts.ts");
      const fd = openLower(this.spec.root?.lower ?? "/");
      try {
        who = resolveUser(fd, options.user);
        const maps = this.spec.idMaps;
        if (maps) (await import("../ids/choose.ts")).checkUser(options.user, who, { maps });
      } finally {
        if (fd >= 0) sys("close", fd);
      }
    }
    const env = overlayEnvironment(base.env, options);
    return { ...base, args, env, cwd: options.cwd ?? base.cwd, uid: who.uid, gid: who.gid, init: false, stdio: streams.child };
  }

  /** Ends the container: SIGKILL to its pid 1, and the kernel ends the rest. */
  kill(): void {
    this.#process.kill(SIGNALS.KILL);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill();
    await this.#process.closed;
  }
}

/**
 * A container without a command, ready for {@link Container.exec}.
 * @throws NsrunError and its kinds; the reason of `signal`, when that fires while the root is being made
 */
export async function container(options: ContainerOptions = {}): Promise<Container> {
  checkOptions(options, CONTAINER);
  const streams = new Streams(["ignore", "ignore", "ignore"]);
  const completed = await complete([], { ...options, init: true }, streams);
  const process = await launch(completed, streams, -1);
  endOnAbort(process, options.signal);
  try {
    await process.ready;
  } catch (error) {
    await process.closed;
    throw error;
  }
  return new Container(process, completed.spec);
}
