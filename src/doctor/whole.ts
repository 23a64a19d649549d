/** A whole container, made as `nsrun run` makes it: no part of it is as telling. */
import { run } from "../container/box.ts";
import type { ContainerOptions } from "../container/options.ts";
import { NsrunError } from "../errors.ts";
import { readText } from "../ffi/file.ts";
import { AT_FDCWD } from "../ffi/flags.ts";
import { sys } from "../ffi/syscall.ts";
import type { Finding } from "./probe.ts";

/** A directory that is there, to be the lower layer of a root; without root nothing may be mounted below it. */
function someDirectory(): string {
  const mounts = readText("/proc/self/mounts");
  const targets = (typeof mounts === "number" ? "" : mounts).split("\n").map((line) => line.split(" ")[1] ?? "");
  const places = ["/usr/share", "/usr", "/etc", "/lib", "/bin", "/root", "/home"];
  const free = (place: string) => !targets.some((target) => target.startsWith(`${place}/`));
  return places.find((place) => sys("faccessat2", AT_FDCWD, place, 5, 0) === 0 && free(place)) ?? "/";
}

/** What exec(3) says of a directory: everything else was done by then, for the command's process as well. */
const NOT_EXECUTABLE = 126;

/** Starts one over a directory of the host (nothing is written there), whose command is no program, and so ends. */
export async function wholeContainer(options: ContainerOptions = {}): Promise<Finding> {
  const begun = performance.now();
  try {
    await run(["/"], { name: "nsrun-doctor", rootfs: someDirectory(), ...options });
  } catch (error) {
    if (!(error instanceof NsrunError)) throw error;
    if (error.exitCode === NOT_EXECUTABLE) return { works: true, detail: `${Math.round(performance.now() - begun)} ms` };
    return { works: false, detail: error.hint === undefined ? error.message : `${error.message} (${error.hint})` };
  }
  return { works: false, detail: "a directory was executed" };
}
