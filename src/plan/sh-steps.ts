/** Steps of a plan as the commands of util-linux and iproute2 that do the same, for sh.ts. */
import { MOUNT_ATTR, O, OPEN_TREE, RLIMIT, S } from "../ffi/flags.ts";
import {
  flagWords,
  isRegister,
  mountCommand,
  number,
  numbers,
  print,
  propagationWord,
  slotName,
  word,
  written,
} from "./sh-words.ts";
import type { Arg, SyscallStep } from "./step.ts";

const { MOUNT_ATTR_RDONLY } = MOUNT_ATTR;

/** A mount that has no place yet: how to make it at one, and what is done to it there. */
interface Detached {
  readonly make: (target: string) => string[];
  readonly afterwards: ((target: string) => string[])[];
}

/** Walks through the steps as the kernel would, keeping in mind what descriptors and the working directory stand for. */
export class Shell {
  readonly lines: string[] = [];
  readonly #detached = new Map<string, Detached>();
  readonly #settings = new Map<string, { type: string; options: string[] }>();
  /** What slots and the register stand for, relative to the root (or absolute). */
  readonly #paths = new Map<string, string>();
  /** Files opened for writing, by where their descriptor is. */
  readonly #files = new Map<string, string>();
  #cwd = "";

  /** `anchor`: where a tree is built that the plan mounts over `/` itself, which no program would survive. */
  constructor(readonly anchor: string) {}

  #path(arg: Arg | undefined): string {
    if (isRegister(arg)) return this.#paths.get("") ?? "";
    const name = slotName(arg);
    return name === undefined ? this.#cwd : (this.#paths.get(name) ?? "");
  }
  /** Below a directory, as a path from the working directory of the script. */
  #below(arg: Arg | undefined, name: string): string {
    const dir = this.#path(arg);
    return name.startsWith("/") || dir === "" ? name : `${dir}/${name}`;
  }
  /** Does it now, or when the mount it belongs to has a place. */
  #emit(arg: Arg | undefined, name: string, make: (path: string) => string[]): void {
    const detached = this.#detached.get(slotName(arg) ?? (isRegister(arg) ? "" : "-"));
    if (detached) detached.afterwards.push((target) => make(name === "" ? target : `${target}/${name}`));
    else this.lines.push(...make(this.#below(arg, name)));
  }
  #attach(from: Arg | undefined, target: string): void {
    const detached = this.#detached.get(held(from));
    if (!detached) return;
    this.#detached.delete(held(from));
    this.#paths.set(held(from), target);
    this.lines.push(...detached.make(target), ...detached.afterwards.flatMap((make) => make(target)));
  }

  /** The commands for one step are added to {@link lines}. Steps that a shell needs no command for add none. */
  step(step: SyscallStep): void {
    CALLS[step.call]?.call(this, step.args, step);
  }

  fsopen([type]: readonly Arg[], { store }: SyscallStep): void {
    this.#settings.set(stored(store), { type: String(type), options: [] });
  }
  fsconfig([fs, , key, value]: readonly Arg[]): void {
    if (key === "source" || typeof key !== "string") return;
    this.#settings.get(held(fs))?.options.push(value ? `${key}=${String(value)}` : key);
  }
  fsmount([fs, , attributes]: readonly Arg[], { store }: SyscallStep): void {
    const { type, options } = this.#settings.get(held(fs))!;
    // "ro" would make the file system so, and not this mount of it
    const all = [...flagWords(number(attributes) & ~MOUNT_ATTR_RDONLY, 1), ...options].join(",");
    const readOnly = (number(attributes) & MOUNT_ATTR_RDONLY) !== 0;
    const make = (target: string) => [
      `mount -t ${type}${all ? ` -o ${word(all)}` : ""} ${type} ${word(target)}`,
      ...(readOnly ? [`also ro ${word(target)}`] : []),
    ];
    this.#detached.set(stored(store), { make, afterwards: [] });
  }
  open_tree([dir, name, flags]: readonly Arg[], { store }: SyscallStep): void {
    const bind = (number(flags) & OPEN_TREE.AT_RECURSIVE) !== 0 ? "--rbind" : "--bind";
    const source = name === "" ? this.#path(dir) : this.#below(dir, String(name));
    // the mount itself, not a clone: mount --move of an ordinary user's mount(8) says that it failed when it has not
    const away = (number(flags) & OPEN_TREE.OPEN_TREE_CLONE) !== 0 ? [] : [`umount ${word(source)}`];
    const make = (target: string) => [`mount ${bind} ${word(source)} ${word(target)}`, ...away];
    this.#detached.set(stored(store), { make, afterwards: [] });
  }
  mount_setattr([tree, path, flags, attr]: readonly Arg[]): void {
    const [set, , propagation] = numbers(attr) as [number, number, number];
    const recursive = (number(flags) & OPEN_TREE.AT_RECURSIVE) !== 0;
    const spread = propagationWord(propagation);
    const words = flagWords(set, 1).join(",");
    this.#emit(tree, path === "/" ? "." : "", (target) => [
      ...(spread ? [`mount -c --make-${recursive ? "r" : ""}${spread} ${word(target)}`] : []),
      ...(words === "" ? [] : [`also ${words} ${recursive ? "-R " : ""}${word(target)}`]),
    ]);
  }
  move_mount([from, , to, path]: readonly Arg[]): void {
    if (path === "/") {
      this.#attach(from, this.anchor);
      this.#paths.set(held(from), "");
      this.lines.push(`cd ${word(this.anchor)}`);
    } else this.#attach(from, this.#below(to, String(path) === "" ? "." : String(path)).replace(/\/\.$/, ""));
  }
  mount([source, target, type, flags, data]: readonly Arg[]): void {
    const at = target === "." && this.#cwd !== "" ? this.#cwd : this.#below(-100, String(target));
    const place = at.startsWith("/") && this.#rooted ? "." : at;
    this.lines.push(mountCommand(source as string | null, place, type as string | null, number(flags), data as string | null));
  }
  /** The new root is the root: what the plan calls `/` is the script's working directory. */
  #rooted = false;
  rooted(): void {
    this.#rooted = true;
  }
  mkdirat([dir, name, mode]: readonly Arg[]): void {
    const p = number(mode) === 0o755 ? "" : `-m ${number(mode).toString(8)} `;
    this.#emit(dir, String(name), (path) => [`mkdir ${p}-p ${word(path)}`]);
  }
  mknodat([dir, name, mode, device]: readonly Arg[]): void {
    const [dev, bits] = [number(device), (number(mode) & 0o777).toString(8)];
    const node = (number(mode) & S.S_IFMT) === S.S_IFCHR;
    this.#emit(dir, String(name), (path) => [
      node ? `mknod -m ${bits} ${word(path)} c ${dev >> 8} ${dev & 0xff}` : `[ -e ${word(path)} ] || : >${word(path)}`,
    ]);
  }
  symlinkat([target, dir, name]: readonly Arg[]): void {
    this.#emit(dir, String(name), (path) => [`ln -s ${word(String(target))} ${word(path)}`]);
  }
  fchownat([dir, name, uid, gid]: readonly Arg[]): void {
    this.#emit(dir, String(name), (path) => [`chown ${number(uid)}:${number(gid)} ${word(path)}`]);
  }
  unlinkat([dir, name]: readonly Arg[]): void {
    this.#emit(dir, String(name), (path) => [`rm ${word(path)}`]);
  }
  openat([dir, path, flags]: readonly Arg[], { store }: SyscallStep): void {
    if (typeof path !== "string") return;
    const place = path === "." ? this.#cwd : this.#below(dir, path);
    this.#paths.set(stored(store), place);
    this.#files.delete(stored(store));
    // the clocks' offsets are unshare(1)'s business
    if (number(flags) & (O.O_WRONLY | O.O_RDWR) && path !== "/proc/self/timens_offsets") this.#files.set(stored(store), place);
  }
  write([to]: readonly Arg[], step: SyscallStep): void {
    const file = this.#files.get(held(to));
    if (file === undefined) return;
    const text = `${print(written(step))} >${word(file)}`;
    this.lines.push(step.tolerate === undefined ? text : `${text} 2>/dev/null || :`);
  }
  openat2([, path]: readonly Arg[]): void {
    this.#paths.set("", String(path));
    this.#detached.delete("");
  }
  dup3([from, to]: readonly Arg[]): void {
    if (!isRegister(from)) return;
    const tree = this.#detached.get("");
    if (tree) this.#detached.set(slotName(to)!, tree);
    else if (slotName(to) === "root") this.#paths.set("root", "");
  }
  fchdir([to]: readonly Arg[]): void {
    this.#cwd = this.#path(to);
  }
  chdir([to]: readonly Arg[]): void {
    if (to === "/") return;
    this.lines.push(`cd ${word(String(to))}`);
    this.#cwd = "";
  }
  /** The script follows the links of its root, and does not look where they led. */
  on_mounts(): void {}
  sethostname([name]: readonly Arg[]): void {
    this.lines.push(`hostname ${word(String(name))}`);
  }
  setdomainname([name]: readonly Arg[]): void {
    this.lines.push(`domainname ${word(String(name))}`);
  }
  ioctl([, request]: readonly Arg[]): void {
    if (request === 0x8914) this.lines.push("ip link set lo up");
  }
  prlimit64([, resource, limits]: readonly Arg[]): void {
    const name = Object.entries(RLIMIT).find(([, n]) => n === resource)?.[0];
    const [soft, hard] = numbers(limits).map((n) => (n === -1 ? "unlimited" : String(n)));
    this.lines.push(`prlimit --pid $$ --${name}=${soft}:${hard}`);
  }
}

/** Where a descriptor is kept: a slot's name, or "" for the register. */
const held = (arg: Arg | undefined): string => slotName(arg) ?? "";
const stored = (store: SyscallStep["store"]): string => (store === true ? "" : String(store));

type Method = (this: Shell, args: readonly Arg[], step: SyscallStep) => void;
const METHODS = Shell.prototype as unknown as Record<string, Method>;
/** The calls that a command is made of, by name. */
const CALLS: Readonly<Record<string, Method>> = Object.fromEntries(
  Object.getOwnPropertyNames(Shell.prototype)
    .filter((name) => !["constructor", "step", "rooted"].includes(name))
    .map((name) => [name, METHODS[name]!]),
);
