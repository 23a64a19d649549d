/** Processes of a container as the host sees them, for attacks that end some and look who is left. */
import { readFileSync } from "node:fs";
import { parentOf, processes } from "../helpers.ts";

const state = (pid: number): string => {
  try {
    return /^State:\s+(\w)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? "X";
  } catch {
    return "X";
  }
};
export const alive = (pid: number) => !"ZX".includes(state(pid));
export const childrenOf = (pid: number): number[] => [...processes().keys()].filter((one) => parentOf(one) === pid);

/** What strace runs; it also has short-lived children of its own, to try what the kernel can. */
export const tracee = (strace: number): number | undefined =>
  [...processes()].find(([pid, argv]) => argv !== "" && !argv.startsWith("strace ") && parentOf(pid) === strace)?.[0];

/** One of ours that should be dead, if the control has worked. */
export function end(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
