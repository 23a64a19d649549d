/**
 * The owners of an archive unpacked by an ordinary user with granted ids: noted while it is unpacked, given at the end by a
 * process in a user namespace with the container's maps, where CAP_CHOWN holds for exactly the mapped ids.
 */
import { NsrunError } from "../errors.ts";
import { AT, AT_FDCWD, O, RESOLVE } from "../ffi/flags.ts";
import type { RawArg } from "../ffi/program.ts";
import { sys } from "../ffi/syscall.ts";
import { type Call, inUserNamespace } from "../ids/inside.ts";
import { contains } from "../ids/map.ts";
import { openHow } from "../plan/list.ts";
import type { IdMaps } from "../plan/spec.ts";
import { strings } from "../plan/step.ts";
import type { Steps } from "../turn.ts";
import { type ByteString, cstr, show } from "./names.ts";
import type { Owner } from "./unpack.ts";

/** Calls in one process: to encode them takes some 10 ms, which nothing interrupts. */
const BATCH = 5000;
const DIRECTORY = openHow(
  O.O_PATH | O.O_DIRECTORY | O.O_NOFOLLOW | O.O_CLOEXEC,
  RESOLVE.RESOLVE_BENEATH | RESOLVE.RESOLVE_NO_SYMLINKS,
);
const REG = { reg: true } as const;

/** A name's bytes, terminated, as a child's argument. */
function name(text: ByteString): RawArg {
  const c = cstr(text);
  return typeof c === "string" ? c : { bytes: c, text: show(text) };
}

export class Owners {
  /** Directory → name in it → owner. */
  readonly #found = new Map<ByteString, Map<ByteString, Owner>>();
  constructor(readonly maps: IdMaps) {}

  /** As UnpackOptions.later. Ours is 0:0 inside: nothing to do. */
  record(path: ByteString, owner: Owner | undefined): boolean {
    const at = path.lastIndexOf("/");
    const [parent, base] = [path.slice(0, Math.max(at, 0)), path.slice(at + 1)];
    const names = this.#found.get(parent) ?? new Map<ByteString, Owner>();
    this.#found.set(parent, names);
    const mapped = owner !== undefined && contains(this.maps.uid, owner.uid) && contains(this.maps.gid, owner.gid);
    if (mapped && (owner.uid !== 0 || owner.gid !== 0)) names.set(base, owner);
    else names.delete(base);
    return mapped;
  }

  /** One directory's calls: open it without following anything, then its names, then close it. */
  #calls(dirFd: number, parent: ByteString, names: ReadonlyMap<ByteString, Owner>): Call[] {
    const give = ([base, { uid, gid, setid }]: [ByteString, Owner]): Call[] => {
      const label = `give ${show(base)} in /${show(parent)} to ${uid}:${gid}`;
      const flags = base === "" ? AT.AT_EMPTY_PATH : AT.AT_SYMLINK_NOFOLLOW; // "": the root itself
      const chown: Call = { label, call: "fchownat", args: [REG, name(base), uid, gid, flags] };
      return setid === 0 ? [chown] : [chown, { label, call: "fchmodat", args: [REG, name(base), setid] }];
    };
    const label = `open /${show(parent)} of the unpacked archive`;
    return [
      { label, call: "openat2", args: [dirFd, name(parent === "" ? "." : parent), DIRECTORY, 24], store: true },
      ...[...names].flatMap(give),
      { label, call: "close", args: [REG] },
    ];
  }

  /** Gives all that was noted below `dirFd`, by one process after the other. Throws SyscallError for the first that fails. */
  *apply(dirFd: number): Steps {
    let batch: Call[] = [];
    for (const [parent, names] of this.#found) {
      if (names.size === 0) continue;
      batch.push(...this.#calls(dirFd, parent, names));
      if (batch.length < BATCH) continue;
      yield* inUserNamespace(this.maps, batch, [dirFd]);
      batch = [];
    }
    if (batch.length > 0) yield* inUserNamespace(this.maps, batch, [dirFd]);
  }
}

/** Removes a tree with files of granted ids. Shell: `unshare -U --map-auto -r rm -rf PATH`. Throws NsrunError. */
export function* removeOwned(maps: IdMaps, path: string): Steps {
  const rm = ["/bin/rm", "/usr/bin/rm"].find((file) => sys("faccessat2", AT_FDCWD, file, 1, 0) === 0);
  if (!rm) throw new NsrunError(`cannot remove ${path}: there is no rm`);
  const label = `remove ${path}`;
  yield* inUserNamespace(maps, [{ label, call: "execve", args: [rm, strings(["rm", "-rf", "--", path]), strings([])] }], []);
}
