/** What a probe is, and what it finds. */
import { findCaller } from "../container/caller.ts";
import { errnoName } from "../ffi/errno.ts";
import { AT_FDCWD, CLONE, MS, O } from "../ffi/flags.ts";
import { sys } from "../ffi/syscall.ts";
import { begin, type Call, call, type Ended, finish } from "./child.ts";

export const AREAS = ["namespaces", "ids", "mounts", "calls", "network", "cgroups", "knobs", "bun"] as const;
export type Area = (typeof AREAS)[number];

/** Who asks. */
export interface Host {
  /** CAP_SYS_ADMIN where we are: no user namespace is needed. */
  readonly admin: boolean;
  /** That, in the initial user namespace. */
  readonly privileged: boolean;
  readonly euid: number;
  readonly egid: number;
}

export function findHost(): Host {
  return findCaller();
}

/** What trying has shown. */
export interface Finding {
  readonly works: boolean;
  /** Beside the name: a version, a path; of a failure which call said what. */
  readonly detail?: string;
  /** Errno by name, of a failure. */
  readonly code?: string;
}

/** Begins at once; the answer is waited for later, so that many run at a time. */
export type Attempt = () => Finding | Promise<Finding>;

export interface Probe {
  readonly name: string;
  /** Begins to try. Throws NsrunError where not even that can be done. */
  readonly attempt: (host: Host) => Attempt;
  /** What one does without. */
  readonly lost: string;
  /** A command that would help, or undefined where nothing does. */
  readonly remedy?: string | ((finding: Finding, host: Host) => string | undefined);
  /** `nsrun run` does not work without it; a function where that depends on who asks. */
  readonly main?: boolean | ((host: Host) => boolean);
  /** Names of probes of any area without which this one is not tried. */
  readonly needs?: readonly string[] | ((host: Host) => readonly string[]);
  /** Takes long: is begun first. */
  readonly slow?: true;
}

/** "EPERM at mount: mount proc" */
export function findingOf({ failed, late, status }: Ended): Finding {
  if (late) return { works: false, detail: "no answer", code: "ETIMEDOUT" };
  if (failed) {
    const code = failed.errno === 0 ? "wrong result" : errnoName(failed.errno);
    return { works: false, detail: `${failed.label}: ${code}`, code };
  }
  return status === 0 ? { works: true } : { works: false, detail: `ended with wait status ${status}` };
}

/** Begins a child with these calls. */
export function inChild(calls: readonly Call[], detail?: string): Attempt {
  const child = begin(calls);
  return () => {
    const finding = findingOf(finish(child));
    return finding.works && detail !== undefined ? { ...finding, detail } : finding;
  };
}

export const looked =
  (finding: Finding): Attempt =>
  () =>
    finding;

function writeOwn(file: string, text: string): Call[] {
  const content = Buffer.from(text);
  return [
    call(`open ${file}`, "openat", [AT_FDCWD, `/proc/self/${file}`, O.O_WRONLY | O.O_CLOEXEC, 0], { store: true }),
    call(`write ${file}`, "write", [{ reg: true }, { bytes: content, text }, content.length], { exact: true }),
    call(`close ${file}`, "close", [{ reg: true }]),
  ];
}

/** A new user namespace in which our own id is root's: anybody may write that map (user_namespaces(7)). */
export const userNamespace = ({ euid, egid }: Host, flags = 0): Call[] => [
  call("new user namespace", "unshare", [CLONE.CLONE_NEWUSER | flags]),
  ...writeOwn("setgroups", "deny"),
  ...writeOwn("uid_map", `0 ${euid} 1\n`),
  ...writeOwn("gid_map", `0 ${egid} 1\n`),
];

/** New namespaces as nsrun makes them: with a user namespace for who is not root. */
export const enter = (host: Host, flags: number): Call[] =>
  host.admin ? [call("new namespaces", "unshare", [flags])] : userNamespace(host, flags);

/** A mount namespace of the child's own (and `flags`), from which nothing spreads. */
export const ownMounts = (host: Host, flags = 0): Call[] => [...enter(host, flags | CLONE.CLONE_NEWNS), isolated()];
export const isolated = (): Call => call("make all mounts private", "mount", [null, "/", null, MS.MS_REC | MS.MS_PRIVATE, null]);

const SIGCHLD = 17;

/** A child of the child that makes `calls`; whatever fails there is told as well. The child waits for it. */
export const fork = (calls: readonly Call[], flags = 0): Call[] => {
  const mark = `parent ${marks++}`;
  return [
    call("fork", "clone", [flags | SIGCHLD, 0, 0, 0, 0], { jump: mark, store: true }),
    ...calls,
    call("end", "exit_group", [0]),
    { ...call("wait for the child", "wait4", [{ reg: true }, 0, 0, 0]), mark },
  ];
};
let marks = 0;

/** A command for root, as we would have to call it. */
export const asRoot = (command: string): string => (sys("geteuid") === 0 ? command : `sudo ${command}`);
