/** A process that sleeps in a new user namespace with maps, for what can be tried only beside one. */
import { readText } from "../ffi/file.ts";
import { AT_FDCWD, CLONE, O } from "../ffi/flags.ts";
import { presentRanges } from "../ids/subid.ts";
import { type Call, call } from "./child.ts";
import { fork, type Host, ownMounts } from "./probe.ts";

const put = (path: string, text: string): Call[] => {
  const content = Buffer.from(text);
  return [
    call(`open ${path}`, "openat", [AT_FDCWD, path, O.O_WRONLY | O.O_CLOEXEC, 0], { store: true }),
    call(`write ${path}`, "write", [{ reg: true }, { bytes: content, text }, content.length], { exact: true }),
    call(`close ${path}`, "close", [{ reg: true }]),
  ];
};

/**
 * Inside a pid namespace with its own /proc, where the sleeper in the new user namespace is pid 2 and can be named in a plan that
 * is made beforehand. `calls` follow with the maps written.
 */
export function withSleeper(host: Host, map: { uid: string; gid: string }, calls: readonly Call[]): Call[] {
  const sleeper = [call("sleep", "ppoll", [0, 0, 0, 0, 8])];
  const inside = [
    call("mount proc", "mount", ["proc", "/proc", "proc", 0, null]),
    call("a process in a new user namespace", "clone", [CLONE.CLONE_NEWUSER | 17, 0, 0, 0, 0], { jump: "maps" }),
    ...sleeper,
    ...put("/proc/2/uid_map", map.uid).map((c, i) => (i === 0 ? { ...c, mark: "maps" } : c)),
    ...(host.admin ? [] : put("/proc/2/setgroups", "deny")),
    ...put("/proc/2/gid_map", map.gid),
    ...calls,
  ];
  return [...ownMounts(host, CLONE.CLONE_NEWPID), ...fork(inside)];
}

const present = (file: string) => {
  const text = readText(`/proc/self/${file}`);
  return presentRanges(typeof text === "number" ? "" : text);
};

/** As many ids as exist here, 65536 at most, away from the first thousand where there are enough. */
export function rangeMap(file: string): string {
  const [largest = { first: 0, size: 1 }] = [...present(file)].sort((a, b) => b.size - a.size);
  const first = largest.size > 165536 ? largest.first + 100000 : largest.first;
  return `0 ${first} ${Math.min(65536, largest.size)}\n`;
}
