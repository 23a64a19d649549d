/** A map of more than one's own id, as `nsrun run` of an ordinary user has it: written by newuidmap and newgidmap. */
import { setgroupsAllowed } from "../container/caller.ts";
import { NsrunError } from "../errors.ts";
import { rootlessMaps } from "../ids/choose.ts";
import { inUserNamespace } from "../ids/inside.ts";
import { total } from "../ids/map.ts";
import { atOnce } from "../turn.ts";
import type { Attempt, Host } from "./probe.ts";

/** Tries to be user and group 1 inside: ids that only a range has. */
export function rangeByHelpers({ euid, egid }: Host): Attempt {
  return () => {
    const { maps, why } = rootlessMaps({}, euid, egid, setgroupsAllowed);
    if (why !== undefined) return { works: false, detail: why };
    try {
      const become = (call: "setresgid" | "setresuid", what: string) =>
        ({ label: `become ${what} 1`, call, args: [1, 1, 1] }) as const;
      atOnce(inUserNamespace(maps, [become("setresgid", "group"), become("setresuid", "user")], []));
      return { works: true, detail: `${total(maps.uid)} ids` };
    } catch (error) {
      if (error instanceof NsrunError) return { works: false, detail: error.message };
      throw error;
    }
  };
}
