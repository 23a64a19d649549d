/** Children of clone(2) in new namespaces, for root and for everybody else, and their answers in words. */
import { findCaller } from "../container/caller.ts";
import { ask, type ChildCall, keep, mapRoot, type Observed, observe } from "../ffi/clone.ts";
import { errnoName, errnoText } from "../ffi/errno.ts";
import { AT_FDCWD, CLONE, MS, S } from "../ffi/flags.ts";
import type { RawArg } from "../ffi/program.ts";
import { sys } from "../ffi/syscall.ts";
import type { Act, Calls, Making } from "./lesson.ts";

/** A call that must succeed, one whose answer is a proof, one whose result the next ones use. */
export const act = (label: string, ...[name, ...args]: ChildCall): Act => ({ label, call: name, args });
export const asked = (label: string, ...call: ChildCall): Act => ({ label, ...ask(...call) });
export const kept = (label: string, ...call: ChildCall): Act => ({ label, ...keep(...call) });

const rootInside = (): Calls => mapRoot().map((step) => ({ label: "be root in the user namespace", ...step }));

/**
 * A child in the namespaces of `flags`. Whoever may not make them gets a user namespace as well, and is root in it: its first
 * calls map it. An empty `flags` needs no rights and no namespace.
 */
export function child(title: string, flags: number, calls: Calls): Making & { readonly flags: number; readonly calls: Calls } {
  if (flags === 0 || findCaller().admin) return { title, flags, calls };
  return { title, flags: flags | CLONE.CLONE_NEWUSER, calls: [...rootInside(), ...calls] };
}

/** Makes it and waits for its end. Throws SyscallError. */
export const watch = (making: { readonly flags: number; readonly calls: Calls }): Observed => observe(making.flags, making.calls);

/** `0` stays `0`, -1 becomes `EPERM (operation not permitted)`. */
export function answer(result: number | undefined): string {
  if (result === undefined) return "no answer";
  return result >= 0 ? String(result) : `${errnoName(-result)} (${errnoText(-result)})`;
}

/** Whether a path is there, by faccessat(2)'s answer. */
export const presence = (result: number | undefined): string => {
  if (result === undefined) return "no answer";
  return result === 0 ? "there" : result === -2 ? "not there" : answer(result);
};
export const THERE = "there";
export const NOT_THERE = "not there";

/** What the lessons do in a child, each as one call. */
export const call = {
  there: (path: string): Act => asked(`look for ${path}`, "faccessat2", AT_FDCWD, path, 0, 0),
  mkdir: (path: string): Act => act(`make the directory ${path}`, "mkdirat", AT_FDCWD, path, 0o755),
  file: (path: string): Act => act(`make the file ${path}`, "mknodat", AT_FDCWD, path, S.S_IFREG | 0o644, 0),
  mount: (source: string, target: string, type: string | null, flags = 0, data: string | null = null): Act =>
    act(type === null ? `bind ${target}` : `mount a ${type} on ${target}`, "mount", source, target, type, flags, data),
  spread: (label: string, target: string, flags: number): Act => act(label, "mount", null, target, null, flags, null),
  /** From here on no mount of the child reaches the host. */
  isolate: (): Act => call.spread("keep all mounts from the host", "/", MS.MS_REC | MS.MS_PRIVATE),
};

/** Memory for the kernel to read. */
export const memory = (data: Uint8Array, text: string): RawArg => ({ bytes: data, text });

/** An existing directory, to be mounted over in a mount namespace of the lesson's own: nobody else sees it. */
export const mountPoint = (): string =>
  ["/mnt", "/srv", "/media", "/opt", "/var", "/tmp", "/usr"].find((dir) => sys("faccessat2", AT_FDCWD, dir, 0, 0) === 0) ??
  "/proc";
