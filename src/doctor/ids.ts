/** User and group ids inside: maps of one id and of a range, and who writes them. */
import { findGrants } from "../ids/grants.ts";
import { findHelper } from "../ids/helper.ts";
import { describe } from "../ids/range.ts";
import { type Call, call } from "./child.ts";
import { ownerProbes } from "./owners.ts";
import { type Attempt, asRoot, type Host, inChild, looked, type Probe, userNamespace } from "./probe.ts";
import { rangeByHelpers } from "./range.ts";
import { rangeMap, withSleeper } from "./sleeper.ts";

const become = (id: number): Call[] => [
  call(`become group ${id}`, "setresgid", [id, id, id]),
  call(`become user ${id}`, "setresuid", [id, id, id]),
];

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
  ...ownerProbes,
];
