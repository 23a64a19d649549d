/** User and group ids inside: maps of one id and of a range, who writes them, mounts with other owners. */
import { readText } from "../ffi/file.ts";
import { AT, AT_FDCWD, CLONE, FSCONFIG, MOUNT_ATTR, O, OPEN_TREE } from "../ffi/flags.ts";
import { findGrants } from "../ids/grants.ts";
import { findHelper } from "../ids/helper.ts";
import { describe } from "../ids/range.ts";
import { presentRanges } from "../ids/subid.ts";
import { type Call, call, KEPT, keep } from "./child.ts";
import { type Attempt, asRoot, fork, type Host, inChild, looked, ownMounts, type Probe, userNamespace } from "./probe.ts";
import { rangeByHelpers } from "./range.ts";

const become = (id: number): Call[] => [
  call(`become group ${id}`, "setresgid", [id, id, id]),
  call(`become user ${id}`, "setresuid", [id, id, id]),
];

const put = (path: string, text: string): Call[] => {
  const content = Buffer.from(text);
  return [
    call(`open ${path}`, "openat", [AT_FDCWD, path, O.O_WRONLY | O.O_CLOEXEC, 0], { store: true }),
    call(`write ${path}`, "write", [{ reg: true }, { bytes: content, text }, content.length], { exact: true }),
    call(`close ${path}`, "close", [{ reg: true }]),
  ];
};

/**
 * Inside a pid namespace with its own /proc, where the sleeper in the new user namespace is pid 2 and can be named in a plan that
 * is made beforehand. `calls` follow with the maps written.
 */
function withSleeper(host: Host, map: { uid: string; gid: string }, calls: readonly Call[]): Call[] {
  const sleeper = [call("sleep", "ppoll", [0, 0, 0, 0, 8])];
  const inside = [
    call("mount proc", "mount", ["proc", "/proc", "proc", 0, null]),
    call("a process in a new user namespace", "clone", [CLONE.CLONE_NEWUSER | 17, 0, 0, 0, 0], { jump: "maps" }),
    ...sleeper,
    ...put("/proc/2/uid_map", map.uid).map((c, i) => (i === 0 ? { ...c, mark: "maps" } : c)),
    ...(host.admin ? [] : put("/proc/2/setgroups", "deny")),
    ...put("/proc/2/gid_map", map.gid),
    ...calls,
  ];
  return [...ownMounts(host, CLONE.CLONE_NEWPID), ...fork(inside)];
}

const present = (file: string) => {
  const text = readText(`/proc/self/${file}`);
  return presentRanges(typeof text === "number" ? "" : text);
};

/** As many ids as exist here, 65536 at most, away from the first thousand where there are enough. */
function rangeMap(file: string): string {
  const [largest = { first: 0, size: 1 }] = [...present(file)].sort((a, b) => b.size - a.size);
  const first = largest.size > 165536 ? largest.first + 100000 : largest.first;
  return `0 ${first} ${Math.min(65536, largest.size)}\n`;
}

function range(host: Host): Attempt {
  if (!host.admin) return rangeByHelpers(host);
  const map = { uid: rangeMap("uid_map"), gid: rangeMap("gid_map") };
  return inChild(withSleeper(host, map, []), `${map.uid.trim().split(" ")[2]} ids`);
}

function helper(name: "newuidmap" | "newgidmap"): Probe {
  return {
    name,
    lost: "ranges of ids without root: --user, chown and archives with foreign owners",
    attempt: () => {
      const found = findHelper(name);
      return looked("path" in found ? { works: true, detail: found.path } : { works: false, detail: found.problem });
    },
    remedy: ({ detail = "" }) => {
      if (detail.includes("not installed")) return asRoot("apt-get install uidmap");
      return detail.includes("setuid bit") ? asRoot(`chmod u+s ${detail.split(" ")[0]}`) : undefined;
    },
  };
}

const granted: Probe = {
  name: "subordinate ids",
  lost: "ranges of ids without root",
  attempt: ({ admin, euid, egid }) => {
    if (admin) return looked({ works: true, detail: "root needs none" });
    const { who, uid, gid, obstacle } = findGrants(euid, egid);
    const empty = [uid, gid].find(({ ranges }) => ranges.length === 0);
    if (empty) return looked({ works: false, detail: `${empty.file} grants ${who} nothing` });
    if (obstacle !== undefined) return looked({ works: false, detail: obstacle });
    return looked({ works: true, detail: `${describe(uid.ranges)} (users), ${describe(gid.ranges)} (groups)` });
  },
  remedy: ({ detail = "" }, { euid, egid }) =>
    detail.includes("grants")
      ? asRoot(
          `usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${findGrants(euid, egid).who.replace(/^uid /, "")}`,
        )
      : undefined,
};

const IDMAP: Call[] = [
  call("open its user namespace", "openat", [AT_FDCWD, "/proc/2/ns/user", O.O_RDONLY | O.O_CLOEXEC, 0], { store: true }),
  keep(),
];
const shift = call("give the mount other owners", "mount_setattr", [
  { reg: true },
  "",
  AT.AT_EMPTY_PATH,
  { words: [MOUNT_ATTR.MOUNT_ATTR_IDMAP, 0, 0, KEPT], text: "{attr_set=MOUNT_ATTR_IDMAP}" },
  32,
]);

const cloneOf = (path: string): Call[] => [
  call(
    `clone the mount at ${path}`,
    "open_tree",
    [AT_FDCWD, path, OPEN_TREE.OPEN_TREE_CLONE | OPEN_TREE.OPEN_TREE_CLOEXEC | OPEN_TREE.AT_RECURSIVE],
    {
      store: true,
    },
  ),
];
const freshTmpfs: Call[] = [
  call("open a tmpfs", "fsopen", ["tmpfs", 1], { store: true }),
  keep(KEPT + 1),
  call("create it", "fsconfig", [KEPT + 1, FSCONFIG.FSCONFIG_CMD_CREATE, null, null, 0]),
  call("mount it", "fsmount", [KEPT + 1, 1, 0], { store: true }),
];

const idmapped = (name: string, mount: readonly Call[], remedy: string): Probe => ({
  name,
  lost: "as root, roots and volumes in a user namespace: only --userns host",
  main: ({ privileged }) => privileged,
  needs: ["proc", "mount_setattr"],
  attempt: (host) => {
    const map = host.admin ? { uid: rangeMap("uid_map"), gid: rangeMap("gid_map") } : { uid: "0 0 1\n", gid: "0 0 1\n" };
    return inChild(withSleeper(host, map, [...IDMAP, ...mount, shift]));
  },
  remedy: ({ code }, { privileged }) => (privileged || code !== "EPERM" ? remedy : "sudo nsrun doctor"),
});

export const idProbes: readonly Probe[] = [
  {
    name: "id map, one id",
    lost: "containers without root",
    main: ({ admin }) => !admin,
    needs: ["user namespace"],
    attempt: (host) => inChild([...userNamespace(host), ...become(0)]),
  },
  {
    name: "id map, range",
    lost: "--user, chown and archives with foreign owners in a user namespace; as root: only --userns host",
    main: ({ privileged }) => privileged,
    needs: ({ admin }) => ["user namespace", ...(admin ? ["proc"] : ["newuidmap", "newgidmap", "subordinate ids"])],
    attempt: range,
    slow: true,
  },
  helper("newuidmap"),
  helper("newgidmap"),
  granted,
  idmapped(
    "idmapped mount of /",
    cloneOf("/"),
    "mount the root from a file system that can be: ext4, xfs, btrfs (Linux 5.12 on)",
  ),
  idmapped("idmapped tmpfs", freshTmpfs, "a kernel from 6.3 on"),
];
