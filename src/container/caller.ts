/** What the caller may do: found by asking the kernel, not by being root. */
import { UsageError } from "../errors.ts";
import { readLink, readText } from "../ffi/file.ts";
import { bytes, failed, sys } from "../ffi/syscall.ts";
import { givenRange, holdGiven, reserveRange } from "../ids/auto.ts";
import type { Asked, Chosen } from "../ids/choose.ts";
import type { IdMap } from "../plan/spec.ts";

export interface Caller {
  readonly euid: number;
  readonly egid: number;
  /** CAP_SYS_ADMIN in the user namespace it is in: it may make namespaces without a new user namespace. */
  readonly admin: boolean;
  /** That, in the initial user namespace: it may make device nodes, trusted attributes and mounts for others as well. */
  readonly privileged: boolean;
  /** Whether it could have this capability, by number (capabilities(7)). */
  readonly permits: (capability: number) => boolean;
}

const CAP_SYS_ADMIN = 21;
/** linux/proc_ns.h: PROC_USER_INIT_INO, the inode of the first user namespace. */
const INITIAL_USER = "user:[4026531837]";

/** capget(2), version 3: effective, permitted, inheritable, twice 32 bits. Nothing where the call fails. */
function capabilities(): Uint8Array {
  const header = bytes(8);
  new DataView(header.buffer).setUint32(0, 0x20080522, true);
  const data = bytes(24);
  return sys("capget", header, data) < 0 ? data.fill(0) : data;
}

/** `set`: 0 effective, 1 permitted. */
function holds(data: Uint8Array, set: number, capability: number): boolean {
  const byte = data[(capability >= 32 ? 12 : 0) + set * 4 + ((capability & 31) >> 3)] ?? 0;
  return (byte & (1 << (capability & 7))) !== 0;
}

// a process with threads can never leave its user namespace: asked once. Without /proc: no
let initialUser: boolean | undefined;
function inInitialUserNamespace(): boolean {
  initialUser ??= readLink("/proc/self/ns/user") === INITIAL_USER;
  return initialUser;
}

export function findCaller(): Caller {
  const data = capabilities();
  const admin = holds(data, 0, CAP_SYS_ADMIN);
  const permits = (capability: number) => holds(data, 1, capability);
  return { euid: sys("geteuid"), egid: sys("getegid"), admin, privileged: admin && inInitialUserNamespace(), permits };
}

function readProc(file: string): string {
  const text = readText(`/proc/self/${file}`);
  if (typeof text === "number") throw failed(text, `read /proc/self/${file}`);
  return text;
}

/** The ids that exist for us, each mapped to itself: what a user namespace made by root contains. */
function identity(file: string): IdMap[] {
  return readProc(file)
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number))
    .map(([containerId = 0, , size = 0]) => ({ containerId, hostId: containerId, size }));
}

/** "deny" in a user namespace whose maps an unprivileged user wrote, and in all below it (user_namespaces(7)). */
export const setgroupsAllowed = (): boolean => readProc("setgroups").trim() === "allow";

/** The maps of a new user namespace. src/ids/choose is loaded for all but root without wishes. Throws UsageError. */
export async function idMaps(caller: Caller, asked: Asked): Promise<Chosen> {
  const byHand = Boolean(asked.uidMap?.length || asked.gidMap?.length);
  const { userns = "auto" } = asked;
  if (userns !== "auto") {
    if (!caller.privileged) throw new UsageError(`--userns ${userns} needs root (in the initial user namespace)`);
    return holdGiven(givenRange(userns), () => `--userns ${userns}`);
  }
  if (caller.privileged && !byHand) return reserveRange();
  if (caller.admin && !byHand)
    return { maps: { uid: identity("uid_map"), gid: identity("gid_map"), setgroups: setgroupsAllowed() } };
  const { rootlessMaps, rootMaps } = await import("../ids/choose.ts");
  if (caller.admin) {
    const maps = rootMaps(asked, setgroupsAllowed());
    // in another user namespace these are not the host's ids
    return caller.privileged ? holdGiven(maps, (column) => `--${column}-map`) : { maps };
  }
  return rootlessMaps(asked, caller.euid, caller.egid, setgroupsAllowed);
}
