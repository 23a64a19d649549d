/** Where a new group may lie, in each hierarchy that has to do with what is asked for. */
import { NsrunError } from "../errors.ts";
import { errnoName } from "../ffi/errno.ts";
import { AT, AT_FDCWD } from "../ffi/flags.ts";
import { sys } from "../ffi/syscall.ts";
import { words, write } from "./files.ts";
import type { Hierarchy } from "./layout.ts";
import type { Controller } from "./limits.ts";

/** A directory that was made for a group. */
export interface Place {
  readonly version: 1 | 2;
  readonly dir: string;
  readonly controllers: readonly Controller[];
  /** v2: what was switched on in the parent for it. */
  readonly enabled: readonly Controller[];
}

const parentOf = (dir: string): string => dir.slice(0, dir.lastIndexOf("/"));

const DELEGATED =
  "without root only a cgroup that was delegated to you can be used: systemd-run --user --scope nsrun …, or run it as root";

function refused(controllers: readonly Controller[], why: string): NsrunError {
  const what = controllers.length > 0 ? `limit ${controllers.join(" and ")}` : "make a cgroup";
  return new NsrunError(`cannot ${what}: ${why}`, { hint: sys("geteuid") === 0 ? undefined : DELEGATED });
}

/** Switches on what is missing for the children of `dir`. Why it cannot be done, or what was. */
function enable(dir: string, controllers: readonly Controller[]): string | Controller[] {
  const has = words(`${dir}/cgroup.controllers`);
  const lacking = controllers.find((controller) => !has.includes(controller));
  if (lacking) return `${dir} has no ${lacking} controller`;
  const on = words(`${dir}/cgroup.subtree_control`);
  const missing = controllers.filter((controller) => !on.includes(controller));
  if (missing.length === 0) return [];
  const result = write(`${dir}/cgroup.subtree_control`, missing.map((controller) => `+${controller}`).join(" "));
  if (result >= 0) return missing;
  // v2's rule: a cgroup with processes of its own gives no controllers to its children
  return `${dir}/cgroup.subtree_control: ${errnoName(-result)}${errnoName(-result) === "EBUSY" ? " (it has processes of its own)" : ""}`;
}

/** The directory, or why there can be none. */
function placeV2({ own, top }: Hierarchy, name: string, controllers: readonly Controller[]): Place | string {
  let why = "";
  for (let parent = own; parent.length >= top.length; parent = parentOf(parent)) {
    const enabled = enable(parent, controllers);
    if (typeof enabled === "string") {
      why ||= enabled;
      continue;
    }
    const dir = `${parent}/${name}`;
    const made = sys("mkdirat", AT_FDCWD, dir, 0o755);
    if (made >= 0) return { version: 2, dir, controllers, enabled };
    disable(parent, enabled);
    why ||= `mkdir ${dir}: ${errnoName(-made)}`;
  }
  return why;
}

function placeV1({ own }: Hierarchy, name: string, controllers: readonly Controller[]): Place | string {
  const dir = `${own}/${name}`;
  const made = sys("mkdirat", AT_FDCWD, dir, 0o755);
  if (made < 0) return `mkdir ${dir}: ${errnoName(-made)}`;
  return { version: 1, dir, controllers, enabled: [] };
}

/** Off again, where nobody else has begun to use it meanwhile: then the kernel says EBUSY, and it stays on. */
function disable(parent: string, enabled: readonly Controller[]): void {
  if (enabled.length > 0) write(`${parent}/cgroup.subtree_control`, enabled.map((controller) => `-${controller}`).join(" "));
}

/** v2 where it has the controller, else the v1 hierarchy that does. Throws NsrunError. */
function chosen(all: readonly Hierarchy[], controllers: readonly Controller[]): Map<Hierarchy, Controller[]> {
  const v2 = all.find(({ version }) => version === 2);
  const inV2 = v2 ? words(`${v2.top}/cgroup.controllers`) : [];
  const wanted = new Map<Hierarchy, Controller[]>();
  for (const controller of controllers) {
    const at = v2 && inV2.includes(controller) ? v2 : all.find(({ controllers: own }) => own.includes(controller));
    if (!at) throw refused([controller], `no cgroup hierarchy that can be seen here has the ${controller} controller`);
    wanted.set(at, [...(wanted.get(at) ?? []), controller]);
  }
  const any = v2 ?? (wanted.size === 0 ? all[0] : undefined);
  if (any && !wanted.has(any)) wanted.set(any, []);
  return wanted;
}

/** Every directory that {@link makePlaces} may make under that name, by version. */
export function possiblePlaces(all: readonly Hierarchy[], name: string): Readonly<Record<1 | 2, readonly string[]>> {
  const places: Record<1 | 2, string[]> = { 1: [], 2: [] };
  for (const { version, own, top } of all) {
    if (version === 1) places[1].push(`${own}/${name}`);
    else for (let parent = own; parent.length >= top.length; parent = parentOf(parent)) places[2].push(`${parent}/${name}`);
  }
  return places;
}

/**
 * Makes the directories, v2's first in the result. In the hybrid layout v2 gets one as well, for cgroup.kill and cgroup.events,
 * where that is allowed. On failure nothing is left. Throws NsrunError.
 */
export function makePlaces(all: readonly Hierarchy[], name: string, controllers: readonly Controller[]): Place[] {
  const made: Place[] = [];
  try {
    for (const [at, own] of chosen(all, controllers)) {
      const place = (at.version === 2 ? placeV2 : placeV1)(at, name, own);
      if (typeof place !== "string") made.push(place);
      else if (own.length > 0 || made.length === 0) throw refused(own, place);
    }
    if (made.length === 0) throw refused([], "no cgroup file system is mounted here");
  } catch (error) {
    for (const place of made) removePlace(place);
    throw error;
  }
  return made.sort((a, b) => b.version - a.version);
}

/** rmdir(2), which the kernel grants when no process is left in it: 0 or -errno. */
export function removePlace({ dir, enabled }: Place): number {
  const result = sys("unlinkat", AT_FDCWD, dir, AT.AT_REMOVEDIR);
  disable(parentOf(dir), enabled);
  return result;
}
