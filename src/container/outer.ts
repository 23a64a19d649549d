/** The system call filters that the caller is under already, as in an outer container. */
import { readText } from "../ffi/file.ts";
import { PR } from "../ffi/flags.ts";
import { sys } from "../ffi/syscall.ts";

const SECCOMP_MODE_FILTER = 2;

/** How many there are; undefined where there are none, or where the kernel does not count them: before Linux 5.9, or without /proc. */
export function outerFilters(): number | undefined {
  if (sys("prctl", PR.PR_GET_SECCOMP, 0, 0, 0, 0) !== SECCOMP_MODE_FILTER) return undefined; // one cheap call, as a rule the last
  const status = readText("/proc/thread-self/status");
  const label = "\nSeccomp_filters:\t";
  const at = typeof status === "string" ? status.indexOf(label) : -1;
  return at < 0 ? undefined : Number.parseInt(String(status).slice(at + label.length), 10);
}
