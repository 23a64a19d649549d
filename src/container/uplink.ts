/** The host's side of --net pasta: what is checked before, what is kept for the message when the program gives up. */
import { NsrunError, UsageError } from "../errors.ts";
import { readText } from "../ffi/file.ts";
import { AT_FDCWD, O } from "../ffi/flags.ts";
import { failed, must, sys } from "../ffi/syscall.ts";
import { validateIfname } from "../net/names.ts";
import type { RelayStep, SyscallStep } from "../plan/step.ts";
import type { Caller } from "./caller.ts";
import { relay } from "./forward.ts";
import type { NetPlan } from "./network.ts";
import type { ContainerOptions } from "./options.ts";
import { published } from "./publish.ts";
import { containerResolvers } from "./resolvers.ts";
import type { NetworkDriver, Slots } from "./slots.ts";
import { callOf, FORWARD, findProgram } from "./uplink-program.ts";

const TUN = "/dev/net/tun";
const EACCES = 13;
const EPERM = 1;

/** pasta and slirp4netns open it as the caller; they would say less about it. */
function checkTun(): void {
  const fd = sys("openat", AT_FDCWD, TUN, O.O_RDWR | O.O_CLOEXEC, 0);
  if (fd >= 0) {
    sys("close", fd);
    return;
  }
  const refused = fd === -EACCES || fd === -EPERM;
  const hint = refused
    ? `as root: chmod 0666 ${TUN} (udev's own default)`
    : "as root: modprobe tun; in a container: pass the device on";
  throw failed(fd, `--net pasta: open ${TUN}`, hint);
}

const MFD_CLOEXEC_SEALING = 1 | 2;
const MFD_NOEXEC_SEAL = 8;
const F_ADD_SEALS = 1033;
const F_SEAL_SEAL_SHRINK_GROW = 1 | 2 | 4;
const ROOM = 8192;

/** A file in memory that keeps the program's first words; it can neither grow nor make the writer wait. */
function memory(): number {
  const flags = MFD_CLOEXEC_SEALING;
  let fd = sys("memfd_create", "nsrun-uplink", flags | MFD_NOEXEC_SEAL);
  if (fd < 0) fd = must("make a file for the uplink's messages", "memfd_create", "nsrun-uplink", flags); // before 6.3
  sys("ftruncate", fd, ROOM);
  sys("fcntl", fd, F_ADD_SEALS, F_SEAL_SEAL_SHRINK_GROW);
  return fd;
}

/** What both programs say beside the point. */
const NOISE =
  /to syslog$|^No external routable interface|^Don't run as root|^WARNING: Support for seccomp|^(sent|received) tapfd|^$/;

class UplinkDriver implements NetworkDriver {
  readonly #said = memory();
  #open = true;
  #refused: string | undefined;

  constructor(
    readonly program: string,
    /** slirp4netns's control socket. */
    readonly control: string | undefined,
  ) {}

  fill(slots: Slots): void {
    slots.set("uplink.said", this.#said);
  }
  relay(what: RelayStep["relay"], slots: Slots): void {
    relay(what, slots).catch((error) => {
      this.#refused = error instanceof Error ? error.message : String(error);
    });
  }
  explain(step: SyscallStep): NsrunError | undefined {
    const waited = step.args[0];
    if (step.call !== "read" || typeof waited !== "object" || waited === null) return undefined;
    if (!("slot" in waited) || waited.slot !== "uplink.ready") return undefined;
    const words = this.#refused ?? this.#words();
    const hint = /routable|interface/.test(words) ? "it needs a default route on the host" : undefined;
    return new NsrunError(`--net pasta: ${this.program} has given up${words === "" ? "" : `: ${words}`}`, { hint });
  }
  /** The last line that matters. */
  #words(): string {
    const text = this.#open ? readText(`/proc/self/fd/${this.#said}`) : "";
    const lines = typeof text === "string" ? text.replaceAll("\0", "").split("\n") : [];
    const all = lines.map((line) => line.trim()).filter((line) => line !== "");
    return all.findLast((line) => !NOISE.test(line)) ?? all.at(-1) ?? "";
  }
  /** The stage removes the socket too, and we do it as soon as it was used: either of us may be killed. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    sys("close", this.#said);
    if (this.control !== undefined) sys("unlinkat", AT_FDCWD, this.control, 0);
  }
}

export function uplinkPlan(options: ContainerOptions, caller: Caller): NetPlan {
  for (const key of ["ip", "hostIp", "gateway"] as const)
    if (options[key] !== undefined) throw new UsageError(`--${key.replace("I", "-i")} needs --net veth`);
  const ifname = validateIfname(options.ifname ?? "eth0", "--ifname");
  const program = findProgram();
  checkTun();
  const ports = published(options.publish ?? []);
  const host = readText("/etc/resolv.conf");
  const resolvers = containerResolvers(typeof host === "string" ? host : "", FORWARD);
  const { admin, privileged, euid } = caller;
  const wishes = { ifname, ports, forwarded: resolvers.forwarded, admin, root: privileged && euid === 0 };
  const net = { mode: "pasta" as const, program: program.path, resolvConf: resolvers.text, ...callOf(program.name, wishes) };
  const driver = new UplinkDriver(program.name, net.control?.path);
  return { net, driver, release: () => driver.close() };
}
