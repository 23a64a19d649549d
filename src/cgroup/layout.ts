/**
 * Where this process's control groups lie: cgroups(7), /proc/self/cgroup and mountinfo. Three layouts are in use: v2 alone, v1
 * alone (a hierarchy for each controller or a few), and the hybrid (v1 for the controllers, a v2 without any beside it).
 */

export interface Hierarchy {
  readonly version: 1 | 2;
  /** Where it is mounted. */
  readonly top: string;
  /** The directory of our own cgroup in it. */
  readonly own: string;
  /** v1: the controllers it is mounted with, "name=…" included. v2: its files tell. */
  readonly controllers: readonly string[];
}

interface Membership {
  readonly controllers: readonly string[];
  readonly path: string;
}

/** Lines `ID:CONTROLLER,…:PATH`; v2's is `0::PATH`. */
function memberships(text: string): Membership[] {
  return text
    .split("\n")
    .map((line) => /^\d+:([^:]*):(\/.*)$/.exec(line))
    .filter((match) => match !== null)
    .map(([, controllers = "", path = ""]) => ({ controllers: controllers.split(",").filter((word) => word !== ""), path }));
}

/** mountinfo's octal escapes: proc(5). */
const unescaped = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 8)));

/** The directory for `path` of a hierarchy whose directory `root` is what is mounted at `top`; undefined: it cannot be seen. */
function directory(top: string, root: string, path: string): string | undefined {
  if (path.startsWith("/..")) return undefined; // outside of our cgroup namespace
  if (root === "/") return path === "/" ? top : top + path;
  if (path === root || path.startsWith(`${root}/`)) return top + path.slice(root.length);
  return undefined;
}

/** The hierarchies that can be seen, from the texts of /proc/self/cgroup and /proc/self/mountinfo. The first mount of each counts. */
export function hierarchies(cgroup: string, mountinfo: string): Hierarchy[] {
  const found: Hierarchy[] = [];
  for (const { controllers, path } of memberships(cgroup)) {
    for (const line of mountinfo.split("\n")) {
      const [before = "", after = ""] = line.split(" - ", 2);
      const [, , , root = "", top = ""] = before.split(" ").map(unescaped);
      const [type, , options = ""] = after.split(" ");
      const words = options.split(",");
      const same =
        controllers.length === 0 ? type === "cgroup2" : type === "cgroup" && controllers.every((c) => words.includes(c));
      const own = same ? directory(top, root, path) : undefined;
      if (own === undefined) continue;
      found.push({ version: controllers.length === 0 ? 2 : 1, top, own, controllers });
      break;
    }
  }
  return found;
}
