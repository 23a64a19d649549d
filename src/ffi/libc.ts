/**
 * The calls themselves, for lab scripts: one function for each man page, checked arguments, SyscallError on failure. They
 * act on the calling thread of Bun: namespaces entered here stay entered (see each function). Bun runs other threads, so
 * unshare and setns of user, and setns of mnt and time, fail with EINVAL; {@link clone} has no such limits.
 */
import { AT_FDCWD, O } from "./flags.ts";
import { bytes, must, sys } from "./syscall.ts";

const whole = (value: number, name: string): number => {
  if (!Number.isSafeInteger(value)) throw new RangeError(`${name}: not an integer: ${value}`);
  return value;
};

/** unshare(2): new namespaces for this thread. Shell: `unshare`. */
export const unshare = (flags: number): void => void must("unshare", "unshare", whole(flags, "flags"));

/** setns(2): enter the namespace that `fd` stands for; `type` 0 or one CLONE_NEW*. Shell: `nsenter`. */
export const setns = (fd: number, type = 0): void => void must("setns", "setns", whole(fd, "fd"), whole(type, "type"));

/** open(2), close-on-exec: for /proc/PID/ns/… and directories. The caller closes it with {@link close}. */
export const open = (path: string, flags: number = O.O_RDONLY): number =>
  must(`open ${path}`, "openat", AT_FDCWD, path, whole(flags, "flags") | O.O_CLOEXEC, 0);

/** close(2) */
export const close = (fd: number): void => void must(`close ${fd}`, "close", whole(fd, "fd"));

/** chroot(2). Shell: `chroot`. */
export const chroot = (path: string): void => void must(`chroot ${path}`, "chroot", path);

/** chdir(2). Shell: `cd`. process.chdir() does the same and tells Bun. */
export const chdir = (path: string): void => void must(`chdir ${path}`, "chdir", path);

/** pivot_root(2). Shell: `pivot_root NEW OLD`. */
export const pivotRoot = (newRoot: string, putOld: string): void =>
  void must(`pivot_root ${newRoot} ${putOld}`, "pivot_root", newRoot, putOld);

/** mount(2): flags are MS_*, `data` the file system's options. Shell: `mount -t TYPE -o DATA SOURCE TARGET`. */
export const mount = (source: string | null, target: string, type: string | null, flags = 0, data: string | null = null): void =>
  void must(`mount ${type ?? source} on ${target}`, "mount", source, target, type, whole(flags, "flags"), data);

/** umount2(2): flags are MNT_*. Shell: `umount`. */
export const umount2 = (target: string, flags = 0): void =>
  void must(`umount ${target}`, "umount2", target, whole(flags, "flags"));

/** sethostname(2): at most 64 bytes. Shell: `hostname NAME`. */
export const sethostname = (name: string): void => void must(`sethostname ${name}`, "sethostname", name, Buffer.byteLength(name));

/** setdomainname(2): at most 64 bytes. Shell: `domainname NAME`. */
export const setdomainname = (name: string): void =>
  void must(`setdomainname ${name}`, "setdomainname", name, Buffer.byteLength(name));

const UTS_FIELD = 65;

/** uname(2): the names of the uts namespace this thread is in. Shell: `uname -a`. */
export function uname(): {
  sysname: string;
  nodename: string;
  release: string;
  version: string;
  machine: string;
  domainname: string;
} {
  const buffer = bytes(6 * UTS_FIELD);
  must("uname", "uname", buffer);
  const field = (i: number): string => {
    const raw = Buffer.from(buffer.subarray(i * UTS_FIELD, (i + 1) * UTS_FIELD));
    return raw.subarray(0, raw.indexOf(0)).toString();
  };
  return { sysname: field(0), nodename: field(1), release: field(2), version: field(3), machine: field(4), domainname: field(5) };
}

/** getpid(2), getppid(2): as this process's pid namespace has them; 0 is a parent outside of it. */
export const getpid = (): number => sys("getpid");
export const getppid = (): number => sys("getppid");

/** kill(2). Shell: `kill -SIGNAL PID`. */
export const kill = (pid: number, signal: number): void =>
  void must(`kill ${pid}`, "kill", whole(pid, "pid"), whole(signal, "signal"));

/** setuid, setgid and setgroups of this thread alone: raw calls, unlike libc's, which change all threads. */
export const setresuid = (uid: number): void => void must(`become user ${uid}`, "setresuid", whole(uid, "uid"), uid, uid);
export const setresgid = (gid: number): void => void must(`become group ${gid}`, "setresgid", whole(gid, "gid"), gid, gid);

const WNOHANG = 1;

/**
 * waitpid(2) for one child of ours: its wait status in words, or undefined with `wait: false` while it lives. Blocks the JS
 * thread by default.
 */
export function waitpid(pid: number, wait = true): { code: number; signal: number | null } | undefined {
  if (whole(pid, "pid") <= 0) throw new RangeError("waitpid(-1) would steal Bun's own children");
  const status = bytes(4);
  if (must(`wait for ${pid}`, "wait4", pid, status, wait ? 0 : WNOHANG, 0) === 0) return undefined;
  const value = new DataView(status.buffer).getInt32(0, true);
  const signal = value & 0x7f;
  return signal === 0 ? { code: (value >> 8) & 0xff, signal: null } : { code: 128 + signal, signal };
}
