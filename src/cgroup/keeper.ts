/** What removes a group when nsrun cannot do it any more: after a kill -9 of nsrun there is nobody else. */
import { clone, keep, RESULT } from "../ffi/clone.ts";
import { AT, AT_FDCWD, O, SIGNALS } from "../ffi/flags.ts";
import type { RawArg, RawStep } from "../ffi/program.ts";
import { sys } from "../ffi/syscall.ts";

const [SUPERVISOR, EVENTS] = [100, 101]; // numbers of the child's own, far above what it has
const [POLLIN, POLLPRI] = [1, 2];

function waiting(fd: number, events: number): RawArg {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, fd, true);
  view.setInt16(4, events, true);
  return { bytes, text: `[{fd=${fd}}]` };
}

const SECONDS_2: RawArg = { words: [2, 0], text: "{tv_sec=2}" };
const mayFail = (step: RawStep): RawStep => ({ ...step, soft: true });

/** Kills what is left in a v2 group and waits for its end: cgroup.events, armed by a read, tells; two seconds at most. */
const emptied = (dir: string): RawStep[] => [
  mayFail(keep("openat", AT_FDCWD, `${dir}/cgroup.events`, O.O_RDONLY, 0)),
  mayFail({ call: "dup3", args: [RESULT, EVENTS, 0] }),
  mayFail(keep("openat", AT_FDCWD, `${dir}/cgroup.kill`, O.O_WRONLY, 0)),
  mayFail({ call: "read", args: [EVENTS, { bytes: new Uint8Array(256), text: "events" }, 256] }),
  mayFail({ call: "write", args: [RESULT, "1", 1] }),
  mayFail({ call: "ppoll", args: [waiting(EVENTS, POLLPRI), 1, SECONDS_2, null, 8] }),
];

const removed = (directories: readonly string[]): RawStep[] =>
  directories.map((dir) => mayFail({ call: "unlinkat", args: [AT_FDCWD, dir, AT.AT_REMOVEDIR] }));

/**
 * A process of some kilobytes that waits for our end, then empties and removes those of the directories that are there. It is
 * started before they are made: whenever we are killed, it knows them. v1 has no way to empty one, but a container ends with
 * us by itself, and two seconds are time enough. Disposing of the result ends it, when we have removed them ourselves.
 */
export function keepGroup(directories: Readonly<Record<1 | 2, readonly string[]>>): Disposable {
  const all = [...directories[2], ...directories[1]];
  const pid = clone(0, [
    ["setsid"], // a kill of our process group must not take it first
    // should we be dead already, these fail, nothing is waited for, and all goes on as it should
    mayFail(keep("pidfd_open", process.pid, 0)),
    mayFail({ call: "dup3", args: [RESULT, SUPERVISOR, 0] }),
    ["close_range", 0, SUPERVISOR - 1, 0], // no reader of a pipe waits for it
    mayFail({ call: "ppoll", args: [waiting(SUPERVISOR, POLLIN), 1, null, null, 8] }),
    ...removed(all), // where all has ended with us there is nothing to wait for
    ...directories[2].flatMap(emptied),
    ...(directories[2].length > 0 ? [] : [mayFail({ call: "ppoll", args: [null, 0, SECONDS_2, null, 8] })]),
    ...removed(all),
  ]);
  return {
    [Symbol.dispose]() {
      sys("kill", pid, SIGNALS.KILL);
      sys("wait4", pid, null, 0, 0);
    },
  };
}
