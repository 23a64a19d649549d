/**
 * Exit code 137 has two meanings, and only the kernel knows which: killed on purpose, or out of memory. Its count of such kills
 * is in /proc/vmstat (since Linux 4.13), who it was in its log: kmsg(4), Documentation/admin-guide/mm/concepts.rst.
 */
import { readText } from "../ffi/file.ts";
import { AT_FDCWD, O } from "../ffi/flags.ts";
import { bytes, sys } from "../ffi/syscall.ts";
import { textOf } from "../ffi/text.ts";

/** How many processes the machine's kernel has killed for memory so far; undefined where it does not say. */
export function oomKills(): number | undefined {
  const text = readText("/proc/vmstat");
  const count = typeof text === "string" ? /^oom_kill (\d+)$/m.exec(text)?.[1] : undefined;
  return count === undefined ? undefined : Number(count);
}

const EPIPE = -32; // what comes next was overwritten meanwhile

/** The last kills in the kernel's log, oldest first; none where it may not be read (kernel.dmesg_restrict). */
function killsLogged(): string[] {
  const fd = sys("openat", AT_FDCWD, "/dev/kmsg", O.O_RDONLY | O.O_NONBLOCK | O.O_CLOEXEC, 0);
  if (fd < 0) return [];
  const record = bytes(8192);
  const lines: string[] = [];
  for (;;) {
    const length = sys("read", fd, record, record.length);
    if (length === EPIPE) continue;
    if (length <= 0) break;
    const line = textOf(record.subarray(0, length));
    if (line.includes("Killed process") || line.includes(";oom-kill:")) lines.push(line);
  }
  sys("close", fd);
  return lines;
}

/** "dd (host pid 12, 300 MB), for the memory limit of /group" from the log's last record of a kill; "" without one. */
function lastKill(): string {
  const lines = killsLogged();
  const killed = /Killed process (\d+) \(([^)]*)\).* anon-rss:(\d+)kB/.exec(lines.at(-1) ?? "");
  if (!killed) return "";
  const [, pid, name, size] = killed;
  const group = /oom_memcg=([^,]+)/.exec(lines.at(-2) ?? "")?.[1];
  return `: ${name} (host pid ${pid}, ${Math.round(Number(size) / 1024)} MB)${group ? `, for the memory limit of cgroup ${group}` : ""}`;
}

/** The line for a command that ended with 137, when `before` was {@link oomKills} as it began; undefined: it was not for memory. */
export function oomLine(before: number): string | undefined {
  const now = oomKills();
  return now === undefined || now <= before ? undefined : `out of memory: the kernel has killed a process${lastKill()}`;
}
