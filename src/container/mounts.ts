/** -v, --tmpfs and --mount as Mounts. */
import { UsageError } from "../errors.ts";
import { errnoName } from "../ffi/errno.ts";
import { absolute } from "../ffi/file.ts";
import { AT_FDCWD, MOUNT_ATTR, MS, S } from "../ffi/flags.ts";
import type { Mount, Propagation } from "../plan/spec.ts";
import { statPath } from "../rootfs/stat.ts";
import { kernelFlags, type Uses } from "./kernel-fs.ts";
import type { ContainerOptions } from "./options.ts";

export const PROPAGATIONS = ["private", "rprivate", "slave", "rslave", "shared", "rshared", "unbindable", "runbindable"];

export function propagation(text: string, option: string, besides: readonly string[] = []): Propagation {
  if (!PROPAGATIONS.includes(text))
    throw new UsageError(`${option} ${text}: expected one of ${[...besides, ...PROPAGATIONS].join(" ")}`);
  return text as Propagation;
}

/** mount(8)'s option words: [bind's MOUNT_ATTR_*, mount(2)'s MS_*]. */
const FLAGS: Readonly<Record<string, readonly [number, number]>> = {
  ro: [MOUNT_ATTR.MOUNT_ATTR_RDONLY, MS.MS_RDONLY],
  readonly: [MOUNT_ATTR.MOUNT_ATTR_RDONLY, MS.MS_RDONLY],
  rro: [MOUNT_ATTR.MOUNT_ATTR_RDONLY, MS.MS_RDONLY],
  nosuid: [MOUNT_ATTR.MOUNT_ATTR_NOSUID, MS.MS_NOSUID],
  nodev: [MOUNT_ATTR.MOUNT_ATTR_NODEV, MS.MS_NODEV],
  noexec: [MOUNT_ATTR.MOUNT_ATTR_NOEXEC, MS.MS_NOEXEC],
  noatime: [MOUNT_ATTR.MOUNT_ATTR_NOATIME, MS.MS_NOATIME],
  rbind: [0, 0],
  bind: [0, 0],
};

/** Words that take an earlier one back. */
const OPPOSITE: Readonly<Record<string, string>> = { rw: "ro", suid: "nosuid", dev: "nodev", exec: "noexec" };

export const BIND_WORDS = [...Object.keys(FLAGS), ...Object.keys(OPPOSITE), "idmap", "noidmap"];

/** `flags` of a bind (0) or of mount(2) (1), with `word` put to them; undefined when it is no flag. */
function withFlag(flags: number, word: string, kind: 0 | 1): number | undefined {
  const opposite = OPPOSITE[word];
  if (opposite !== undefined) return flags & ~FLAGS[opposite]![kind];
  const flag = FLAGS[word];
  return flag && flags | flag[kind];
}

const bindDefaults = { type: "bind", data: "", recursive: true, recursiveFlags: false, propagation: "private" as const };

function target(path: string, option: string): string {
  if (!path.startsWith("/")) throw new UsageError(`${option}: the target must be an absolute path: ${path}`);
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) throw new UsageError(`${option}: the target must not contain "..": ${path}`);
  if (parts.length === 0) throw new UsageError(`${option}: the target cannot be / itself (see --rootfs)`);
  return `/${parts.join("/")}`;
}

function bindSource(path: string, option: string): { source: string; file: boolean } {
  const source = absolute(path);
  const stat = statPath(AT_FDCWD, source);
  if (typeof stat !== "number") return { source, file: (stat.mode & S.S_IFMT) !== S.S_IFDIR };
  const code = errnoName(-stat);
  throw new UsageError(`${option}: ${path}: ${code === "ENOENT" ? "no such file or directory" : `cannot be read (${code})`}`);
}

function bind(from: string, to: string, words: readonly string[], option: string): Mount {
  let mount: Mount = { ...bindDefaults, ...bindSource(from, option), target: target(to, option), flags: 0 };
  for (const word of words) {
    const flags = withFlag(mount.flags, word, 0);
    if (flags !== undefined) mount = { ...mount, flags };
    else if (word === "idmap" || word === "noidmap") mount = { ...mount, idmap: word === "idmap" };
    else mount = { ...mount, propagation: propagation(word, `${option}: unknown option`, BIND_WORDS) };
    if (word === "rro") mount = { ...mount, recursiveFlags: true };
    if (word === "bind") mount = { ...mount, recursive: false };
  }
  return mount;
}

/** SRC:DST[:OPTIONS] */
function volume(text: string): Mount {
  const option = `--volume ${text}`;
  const [from = "", to = "", words = "", ...rest] = text.split(":");
  if (from === "" || to === "" || rest.length > 0)
    throw new UsageError(`${option}: expected SRC:DST[:OPTIONS] (a colon in a path: use --mount)`);
  return bind(from, to, words === "" ? [] : words.split(","), option);
}

/** Mount data and flags from option words; words that are no flags are the file system's. `always`: flags that it has anyway. */
function fileSystem(type: string, source: string, to: string, words: readonly string[], option: string, always = 0): Mount {
  let flags = always;
  const data: string[] = [];
  for (const word of words) {
    const opposite = OPPOSITE[word];
    if (opposite !== undefined && (always & FLAGS[opposite]![1]) !== 0)
      throw new UsageError(`${option}: a ${type} is always ${opposite} here`);
    const next = withFlag(flags, word, 1);
    if (next === undefined) data.push(word);
    else flags = next;
  }
  return { ...bindDefaults, type, source, target: target(to, option), flags, data: data.join(","), file: false };
}

/** PATH[:OPTIONS]; nosuid and nodev unless exec-like words say otherwise, as Docker has it. */
function tmpfs(text: string): Mount {
  const at = text.indexOf(":");
  const path = at < 0 ? text : text.slice(0, at);
  const words =
    at < 0
      ? []
      : text
          .slice(at + 1)
          .split(",")
          .filter((word) => word !== "");
  return fileSystem("tmpfs", "tmpfs", path, ["nosuid", "nodev", ...words], `--tmpfs ${text}`);
}

/** KEY=VALUE,…: type, src|source, dst|target|destination; other words are options. */
function mount(text: string, options: ContainerOptions, uses: Uses): Mount {
  const option = `--mount ${text}`;
  const keys: Record<string, string> = {};
  const words: string[] = [];
  const names: Record<string, string> = { source: "src", destination: "dst", target: "dst" };
  for (const part of text.split(",")) {
    const at = part.indexOf("=");
    const key = at < 0 ? part : part.slice(0, at);
    const name = names[key] ?? key;
    if (at > 0 && ["type", "src", "dst"].includes(name)) keys[name] = part.slice(at + 1);
    else if (part !== "") words.push(part);
  }
  const { type = "bind", src, dst } = keys;
  if (!dst) throw new UsageError(`${option}: dst=… is missing`);
  if (type !== "bind") return fileSystem(type, src ?? type, dst, words, option, kernelFlags(type, option, options, uses));
  if (!src) throw new UsageError(`${option}: src=… is missing`);
  return bind(src, dst, words, option);
}

const depth = ({ target }: Mount): number => target.split("/").length;

/**
 * All mounts the caller asked for; --tmpfs before -v before --mount, each in the order given, but none before one that it
 * lies below, which would hide it.
 */
export function userMounts(options: ContainerOptions, uses: Uses): Mount[] {
  const mounts = (options.mount ?? []).map((text) => mount(text, options, uses));
  const all = [...(options.tmpfs ?? []).map(tmpfs), ...(options.volume ?? []).map(volume), ...mounts];
  return all.length > 1 ? all.sort((one, other) => depth(one) - depth(other)) : all;
}
