/** A control group of nsrun's own, from its making to its end: cgroups(7). */
import { NsrunError } from "../errors.ts";
import { errnoName } from "../ffi/errno.ts";
import { SIGNALS } from "../ffi/flags.ts";
import { failed, sys } from "../ffi/syscall.ts";
import { poll, waitEmpty } from "./empty.ts";
import { keyed, read, write } from "./files.ts";
import { keepGroup } from "./keeper.ts";
import { hierarchies } from "./layout.ts";
import { type Controller, type Limits, RULES } from "./limits.ts";
import { makePlaces, type Place, possiblePlaces, removePlace } from "./place.ts";

const POLLIN = 1;

let counter = 0;

/** Processes under common limits. `using group = createGroup("lab", { pids: 50 })`: at its end all in it are killed, and it is removed. */
export class Group implements Disposable {
  readonly #places: readonly Place[];
  #keeper: Disposable | undefined;

  constructor(places: readonly Place[], keeper: Disposable) {
    this.#places = places;
    this.#keeper = keeper;
  }

  /** One for each hierarchy: what {@link ContainerOptions.cgroup} takes. */
  get directories(): string[] {
    return this.#places.map(({ dir }) => dir);
  }

  /** Moves a process into it; its later children are born there. Throws SyscallError. Shell: `echo PID > cgroup.procs`. */
  add(pid: number): void {
    for (const { dir } of this.#places) {
      const result = write(`${dir}/cgroup.procs`, String(pid));
      if (result < 0) throw failed(result, `move process ${pid} into ${dir}`);
    }
  }

  /** How often the limit of `controller` has struck: processes killed for memory, forks refused. */
  struck(controller: Controller): number {
    const place = this.#places.find(({ controllers }) => controllers.includes(controller));
    if (!place) return 0;
    const [file, key] = RULES[controller][place.version].struck;
    return keyed(`${place.dir}/${file}`, key);
  }

  /** Sets the limits. Throws NsrunError for one that the kernel refuses. */
  limit(limits: Limits): void {
    for (const { dir, version, controllers } of this.#places) {
      for (const controller of controllers) {
        const value = limits[controller];
        if (value === undefined) continue;
        const { file, swap } = RULES[controller][version];
        const result = write(`${dir}/${file}`, String(value));
        if (result < 0) throw new NsrunError(`cannot limit ${controller} to ${value}: ${dir}/${file}: ${errnoName(-result)}`);
        const also = swap ? write(`${dir}/${swap[0]}`, String(swap[1](value))) : 0;
        if (also < 0 && errnoName(-also) !== "ENOENT")
          throw new NsrunError(`cannot limit swap: ${dir}/${swap![0]}: ${errnoName(-also)}`);
      }
    }
  }

  /** SIGKILL to all in it, and waits until none is left. Shell: `echo 1 > cgroup.kill`. */
  kill(): void {
    const v2 = this.#places.find(({ version }) => version === 2)?.dir;
    if (v2 !== undefined && write(`${v2}/cgroup.kill`, "1") >= 0) waitEmpty(v2);
    // before Linux 5.14, and without v2
    else for (const { dir } of this.#places) killOneByOne(dir);
  }

  [Symbol.dispose](): void {
    if (!this.#keeper) return;
    this.kill();
    this.#keeper[Symbol.dispose]();
    this.#keeper = undefined;
    const errors = this.#places.map(removePlace).map((result, i) => [result, this.#places[i]!.dir] as const);
    const [result, dir] = errors.find(([one]) => one < 0) ?? [0, ""];
    if (result < 0) throw failed(result, `remove the cgroup ${dir}`);
  }
}

/** No more forks, then each process by a descriptor of it, until the list is empty. */
function killOneByOne(dir: string): void {
  write(`${dir}/pids.max`, "0");
  for (;;) {
    const pids = read(`${dir}/cgroup.procs`).split("\n").filter(Boolean).map(Number);
    if (pids.length === 0) return;
    const fds = pids.map((pid) => sys("pidfd_open", pid, 0)).filter((fd) => fd >= 0);
    for (const fd of fds) sys("pidfd_send_signal", fd, SIGNALS.KILL, null, 0);
    for (const fd of fds) {
      poll(fd, POLLIN);
      sys("close", fd);
    }
  }
}

/**
 * Makes a group with limits, below our own cgroup where that may have children, else beside or above it. It is called
 * nsrun-NAME-PID-N. Shell: `mkdir /sys/fs/cgroup/NAME; echo N > …/memory.max`.
 * @throws NsrunError that says why, when a limit cannot be given
 */
export function createGroup(name: string, limits: Limits = {}): Group {
  const controllers = (["memory", "pids"] as const).filter((controller) => limits[controller] !== undefined);
  const all = hierarchies(read("/proc/self/cgroup"), read("/proc/self/mountinfo"));
  const title = `nsrun-${name}-${process.pid}-${++counter}`;
  const keeper = keepGroup(possiblePlaces(all, title));
  let made: Group | undefined;
  try {
    made = new Group(makePlaces(all, title, controllers), keeper);
    made.limit(limits);
    return made;
  } catch (error) {
    (made ?? keeper)[Symbol.dispose]();
    throw error;
  }
}
