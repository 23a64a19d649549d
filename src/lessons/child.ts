/** Children of clone(2) in new namespaces, for root and for everybody else, and their answers in words. */
import { findCaller } from "../container/caller.ts";
import { mapRoot, type Observed, observe } from "../ffi/clone.ts";
import { errnoName, errnoText } from "../ffi/errno.ts";
import { AT_FDCWD, CLONE, S } from "../ffi/flags.ts";
import type { RawArg, RawStep } from "../ffi/program.ts";
import { sys } from "../ffi/syscall.ts";
import type { Calls, Making } from "./lesson.ts";

/**
 * A child in the namespaces of `flags`. Whoever may not make them gets a user namespace as well, and is root in it: its first
 * calls map it. An empty `flags` needs no rights and no namespace.
 */
export function child(title: string, flags: number, calls: Calls): Making & { readonly flags: number; readonly calls: Calls } {
  if (flags === 0 || findCaller().admin) return { title, flags, calls };
  return { title, flags: flags | CLONE.CLONE_NEWUSER, calls: [...mapRoot(), ...calls] };
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
  there: (path: string): RawStep => ({ call: "faccessat2", args: [AT_FDCWD, path, 0, 0], tell: true }),
  mkdir: (path: string): RawStep => ({ call: "mkdirat", args: [AT_FDCWD, path, 0o755] }),
  file: (path: string): RawStep => ({ call: "mknodat", args: [AT_FDCWD, path, S.S_IFREG | 0o644, 0] }),
  mount: (source: string | null, target: string, type: string | null, flags = 0, data: string | null = null): RawStep => ({
    call: "mount",
    args: [source, target, type, flags, data],
  }),
};

/** Memory for the kernel to read. */
export const memory = (data: Uint8Array, text: string): RawArg => ({ bytes: data, text });

/** An existing directory, to be mounted over in a mount namespace of the lesson's own: nobody else sees it. */
export const mountPoint = (): string =>
  ["/mnt", "/srv", "/media", "/opt", "/var", "/tmp", "/usr"].find((dir) => sys("faccessat2", AT_FDCWD, dir, 0, 0) === 0) ??
  "/proc";
