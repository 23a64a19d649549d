/** What a container has and has not by default: see docs/design/0013-capabilities.md. On the way of every start: data only. */

/** Enough for package managers, servers and su inside. Docker keeps 14, podman 11. */
export const DEFAULT_CAPABILITIES = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_FOWNER",
  "CAP_FSETID",
  "CAP_KILL",
  "CAP_SETGID",
  "CAP_SETUID",
  "CAP_NET_BIND_SERVICE",
];

/** A path of proc or sysfs, and whether it is a directory. Some exist only with certain modules and options of the kernel. */
export interface MaskedPath {
  readonly path: string;
  readonly directory: boolean;
}

const directory = (path: string): MaskedPath => ({ path, directory: true });
const file = (path: string): MaskedPath => ({ path, directory: false });

/** Hidden: firmware, addresses and keys of the kernel, side channels (powercap: CVE-2020-8694). */
export const MASKED: readonly MaskedPath[] = [
  directory("/proc/acpi"),
  directory("/proc/asound"),
  file("/proc/interrupts"),
  file("/proc/kcore"),
  file("/proc/keys"),
  file("/proc/latency_stats"),
  file("/proc/sched_debug"),
  directory("/proc/scsi"),
  file("/proc/timer_list"),
  file("/proc/timer_stats"),
  directory("/sys/firmware"),
  directory("/sys/devices/virtual/powercap"),
];

/** Knobs of the machine; and /dev, when all is in it that belongs there. */
export const READ_ONLY: readonly string[] = [
  "/proc/bus",
  "/proc/fs",
  "/proc/irq",
  "/proc/sys",
  "/proc/sysrq-trigger",
  "/proc/mtrr",
  "/sys",
  "/sys/fs/cgroup",
  "/dev",
];

/** Where programs write what nobody keeps: a tmpfs each, nosuid and nodev, over whatever the rootfs has there. */
export const SCRATCH: readonly string[] = ["/tmp", "/run"];
