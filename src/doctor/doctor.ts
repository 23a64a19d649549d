/** All probes, tried at the same time as far as that helps, and what follows for the main job. */
import { NsrunError } from "../errors.ts";
import { bunProbes } from "./bun.ts";
import { callProbes } from "./calls.ts";
import { cgroupProbes } from "./cgroups.ts";
import { idProbes } from "./ids.ts";
import { knobProbes } from "./knobs.ts";
import { mountProbes } from "./mounts.ts";
import { namespaceProbes } from "./namespaces.ts";
import { networkProbes } from "./network.ts";
import { AREAS, type Area, type Attempt, type Finding, findHost, type Host, type Probe } from "./probe.ts";
import { wholeContainer } from "./whole.ts";

export const PROBES: Readonly<Record<Area, readonly Probe[]>> = {
  namespaces: namespaceProbes,
  ids: idProbes,
  mounts: mountProbes,
  calls: callProbes,
  network: networkProbes,
  cgroups: cgroupProbes,
  knobs: knobProbes,
  bun: bunProbes,
};

export interface Result {
  readonly area: Area | "container";
  readonly name: string;
  /** Null: not tried, since something that it needs does not work. */
  readonly works: boolean | null;
  readonly detail: string | null;
  /** The main job needs it. */
  readonly main: boolean;
  /** Of what does not work: what one does without, and a command that helps. */
  readonly lost: string | null;
  readonly remedy: string | null;
}

export interface Diagnosis {
  readonly version: 1;
  /** `nsrun run` works here. */
  readonly works: boolean;
  readonly root: boolean;
  readonly results: readonly Result[];
  /** Milliseconds. */
  readonly took: number;
}

/** Children that exist at a time: each has a descriptor of ours. */
const AT_ONCE = 8;

interface Begun {
  readonly area: Area;
  readonly probe: Probe;
  readonly attempt: Attempt;
}

function beginOne(area: Area, probe: Probe, host: Host): Begun {
  try {
    return { area, probe, attempt: probe.attempt(host) };
  } catch (error) {
    if (!(error instanceof NsrunError)) throw error;
    return { area, probe, attempt: () => ({ works: false, detail: error.message }) };
  }
}

/** Slow ones are begun first and waited for last; of the others some are always under way. */
async function findings(host: Host): Promise<Map<Probe, Finding>> {
  const all = AREAS.flatMap((area) => PROBES[area].map((probe) => ({ area, probe })));
  const found = new Map<Probe, Finding>();
  const slow = all.filter(({ probe }) => probe.slow).map(({ area, probe }) => beginOne(area, probe, host));
  const underWay: Begun[] = [];
  const take = async (begun: Begun | undefined) => {
    if (begun) found.set(begun.probe, await begun.attempt());
  };
  for (const { area, probe } of all) {
    if (probe.slow) continue;
    underWay.push(beginOne(area, probe, host));
    if (underWay.length >= AT_ONCE) await take(underWay.shift());
  }
  for (const begun of [...underWay, ...slow]) await take(begun);
  return found;
}

/** The name of what is missing for `probe`, or undefined. */
function lacking(
  probe: Probe,
  byName: ReadonlyMap<string, Probe>,
  found: ReadonlyMap<Probe, Finding>,
  host: Host,
): string | undefined {
  const needs = typeof probe.needs === "function" ? probe.needs(host) : probe.needs;
  return needs?.find((name) => {
    const needed = byName.get(name);
    if (!needed) throw new TypeError(`${probe.name} needs ${name}, which nobody probes`);
    return found.get(needed)?.works === false;
  });
}

function result(area: Area, probe: Probe, finding: Finding, missing: string | undefined, host: Host): Result {
  const main = typeof probe.main === "function" ? probe.main(host) : (probe.main ?? false);
  const { name } = probe;
  const remedy = typeof probe.remedy === "function" ? probe.remedy(finding, host) : probe.remedy;
  if (finding.works) return { area, name, works: true, detail: finding.detail || null, main, lost: null, remedy: null };
  if (missing !== undefined)
    return { area, name, works: null, detail: `needs: ${missing}`, main, lost: probe.lost, remedy: null };
  return { area, name, works: false, detail: finding.detail ?? null, main, lost: probe.lost, remedy: remedy ?? null };
}

/** Tries everything. Nothing of the host is changed but for empty cgroups that come and go. */
export async function diagnose(): Promise<Diagnosis> {
  const begun = performance.now();
  const host = findHost();
  const trial = wholeContainer();
  const found = await findings(host);
  const byName = new Map([...found.keys()].map((probe) => [probe.name, probe]));
  const results: Result[] = AREAS.flatMap((area) =>
    PROBES[area].map((probe) => result(area, probe, found.get(probe)!, lacking(probe, byName, found, host), host)),
  );
  const whole = await trial;
  const lost = whole.works ? null : "nsrun run, and everything else";
  const line: Result = {
    area: "container",
    name: "a whole container",
    works: whole.works,
    detail: whole.detail ?? null,
    main: true,
    lost,
    remedy: null,
  };
  return {
    version: 1,
    works: whole.works,
    root: host.admin,
    results: [...results, line],
    took: Math.round(performance.now() - begun),
  };
}
