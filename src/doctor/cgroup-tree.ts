/** Where we are in the cgroup hierarchies: from /proc/self/cgroup and mountinfo, cgroups(7). Pure. */

/** One mounted hierarchy that we are in. */
export interface Hierarchy {
  readonly version: 1 | 2;
  /** Of v1: what is bound to it, such as `cpu`, `cpuacct` or `name=systemd`; of v2 none. */
  readonly controllers: readonly string[];
  /** Our own cgroup in it, as a directory that can be seen from here. */
  readonly directory: string;
  /** The mount allows no writing. */
  readonly readOnly: boolean;
}

interface Mount {
  readonly root: string;
  readonly target: string;
  readonly type: string;
  readonly options: readonly string[];
  readonly readOnly: boolean;
}

/** proc(5): …, root, mount point, mount options, optional fields, "-", type, source, super block options. */
function mounts(mountinfo: string): Mount[] {
  return mountinfo.split("\n").flatMap((line) => {
    const [before = "", after = ""] = line.split(" - ");
    const [, , , root = "/", target = "", options = ""] = before.split(" ");
    const [type = "", , superOptions = ""] = after.split(" ");
    if (type !== "cgroup" && type !== "cgroup2") return [];
    const readOnly = [options, superOptions].some((list) => list.split(",").includes("ro"));
    return [{ root, target, type, options: superOptions.split(","), readOnly }];
  });
}

/** Our cgroup below the mount point; the mount point itself where the cgroup lies outside of what is mounted. */
function below(mount: Mount, path: string): string {
  if (mount.root === "/") return path === "/" ? mount.target : mount.target + path;
  return path.startsWith(`${mount.root}/`) ? mount.target + path.slice(mount.root.length) : mount.target;
}

/** Every hierarchy of /proc/self/cgroup (`ID:CONTROLLERS:PATH`, 0 is v2) that is mounted somewhere. */
export function hierarchies(selfCgroup: string, mountinfo: string): Hierarchy[] {
  const all = mounts(mountinfo);
  return selfCgroup.split("\n").flatMap((line) => {
    const [id, names = "", ...rest] = line.split(":");
    if (rest.length === 0) return [];
    const controllers = names === "" ? [] : names.split(",");
    const version = id === "0" && names === "" ? 2 : 1;
    const mount = all.find(({ type, options }) =>
      version === 2 ? type === "cgroup2" : type === "cgroup" && controllers.every((name) => options.includes(name)),
    );
    if (!mount) return [];
    return [{ version, controllers, directory: below(mount, rest.join(":")), readOnly: mount.readOnly }] as const;
  });
}

/** systemd's words: unified, legacy, hybrid. */
export function layout(found: readonly Hierarchy[]): "v2" | "v1" | "hybrid" | "none" {
  const [v2, v1] = [found.some(({ version }) => version === 2), found.some(({ version }) => version === 1)];
  if (v2 && v1) return "hybrid";
  return v2 ? "v2" : v1 ? "v1" : "none";
}
