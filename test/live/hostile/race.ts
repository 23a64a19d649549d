/** Starts of containers while somebody exchanges a directory and a link in what they share. */
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { SCRATCH } from "../../../src/security/defaults.ts";
import { until } from "../helpers.ts";
import type { Case, Mutation, Result } from "./driver.ts";
import { asHost, type HostilePlace, isOwn, mountsOf } from "./place.ts";

export interface Race {
  readonly name: string;
  /** What is started again and again; makes its directories below `place`. */
  readonly prepare: (place: HostilePlace) => {
    readonly options: Case["options"];
    readonly directory: string;
    readonly names: readonly [string, string];
  };
  /** The paths inside at which mounts besides nsrun's own may be. */
  readonly places: RegExp;
  /** The defence whose absence lets the race change the host. */
  readonly control?: Mutation;
}

/** A directory for a volume's target in a shared volume; the target has to be made there, too: CVE-2024-45310. */
const sharedVolume = (name: string, link: (place: HostilePlace) => string, places: RegExp, control?: Mutation): Race => ({
  name: `CVE-2021-30465, CVE-2024-45310: a volume's target, exchanged for a link ${name}`,
  places,
  ...(control ? { control } : {}),
  prepare: (place) => {
    const root = place.root();
    const shared = place.dir.file("shared");
    mkdirSync(join(root, "inside"));
    mkdirSync(join(shared, "a/sub"), { recursive: true });
    symlinkSync(link(place), join(shared, "b"));
    const volume = [`${shared}:/vol`, `${place.dir.file("volume")}:/vol/a/sub`, `${place.dir.file("resolv")}:/vol/a/new`];
    return { options: { rootfs: root, volume }, directory: shared, names: ["a", "b"] };
  },
});

/** A root that is written in place and has `name` exchanged for a link to the host. */
const sharedRoot = (bug: string, name: string, control?: Mutation): Race => ({
  name: `${bug}: /${name} of a root that is written in place`,
  places: /^\/link(\/[\w-]+)*$/, // a mount goes with its directory
  ...(control ? { control } : {}),
  prepare: (place) => {
    const root = place.root();
    mkdirSync(join(root, name));
    symlinkSync(place.host, join(root, "link"));
    return { options: { rootfs: root, rw: true }, directory: root, names: [name, "link"] };
  },
});

const VOLUME = /^\/vol\/[ab]\/(sub|new)$/;

export const RACES: readonly Race[] = [
  sharedVolume("to the host", (place) => place.host, VOLUME, "follow"),
  sharedVolume("upwards to the host", (place) => `../../../../../..${place.host}`, VOLUME),
  sharedVolume("to a directory of the root", () => "/inside", VOLUME),
  sharedVolume("to the kernel's knobs", () => "/proc/sys", VOLUME),
  sharedRoot("CVE-2026-41579", "dev", "dev by path"),
  sharedRoot("CVE-2025-52881", "proc", "proc by path"),
  sharedRoot("CVE-2019-19921", "sys"),
];

/** What a start in a race may say, besides giving a container. */
export const RACE_ERRORS = ["ENOENT", "ELOOP", "EXDEV", "EAGAIN"];

export interface Raced {
  readonly results: readonly Result[];
  /** Outcomes by errno or by where the mounts were. */
  readonly outcomes: ReadonlyMap<string, number>;
  /** Mount points besides nsrun's own. */
  readonly mounts: ReadonlySet<string>;
  readonly untouched: boolean;
  readonly slowest: number;
}

/** `count` starts. */
export async function race(
  place: HostilePlace,
  { prepare }: Race,
  count: number,
  recipe: string,
  mutation?: Mutation,
): Promise<Raced> {
  const { options: given, directory, names } = prepare(place);
  const options = { ...given, ...asHost(recipe) };
  const before = place.state(place.host);
  const swapper = Bun.spawn([place.swapper, directory, ...names], { stdout: "pipe", stderr: "inherit" });
  try {
    await until(swapper.stdout.getReader(), "ready\n");
    const one: Case = mutation === undefined ? { name: "", options } : { name: "", options, mutation };
    const results = await place.start(Array<Case>(count).fill(one), { NSRUN_ROOT_RECIPE: recipe });
    if (swapper.exitCode !== null) throw new Error("the other process ended early");
    const outcomes = new Map<string, number>();
    const mounts = new Set<string>();
    for (const result of results) {
      const where = [...mountsOf(result)]
        .filter((mount) => !isOwn(mount) && ![...SCRATCH, "/vol"].includes(mount[0]))
        .map(([path]) => path);
      for (const path of where) mounts.add(path);
      const key = result.error ?? `container ${where.join(" ")}`.trim();
      outcomes.set(key, (outcomes.get(key) ?? 0) + 1);
    }
    const slowest = Math.max(...results.map(({ ms }) => ms));
    return { results, outcomes, mounts, untouched: place.state(place.host) === before, slowest };
  } finally {
    swapper.kill("SIGKILL");
    await swapper.exited;
  }
}
