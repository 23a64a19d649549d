/** Limits and counts by controller, for both versions: Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst, pids.rst. */

export type Controller = "memory" | "pids";

export interface Limits {
  /** Bytes, swap included where the kernel counts it. */
  readonly memory?: number;
  /** Processes and threads. */
  readonly pids?: number;
}

interface Rule {
  /** The file for the limit. */
  readonly file: string;
  /** Another, for the swap, and its value for the limit `n`; missing where swap is not counted. */
  readonly swap?: readonly [file: string, value: (n: number) => number];
  /** How often the limit has struck: file and key. */
  readonly struck: readonly [file: string, key: string];
}

export const RULES: Readonly<Record<Controller, Readonly<Record<1 | 2, Rule>>>> = {
  memory: {
    2: { file: "memory.max", swap: ["memory.swap.max", () => 0], struck: ["memory.events", "oom_kill"] },
    1: {
      file: "memory.limit_in_bytes",
      swap: ["memory.memsw.limit_in_bytes", (n) => n], // memory and swap together
      struck: ["memory.oom_control", "oom_kill"],
    },
  },
  pids: {
    2: { file: "pids.max", struck: ["pids.events", "max"] },
    1: { file: "pids.max", struck: ["pids.events", "max"] },
  },
};
