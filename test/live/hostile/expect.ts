/** What must come of a hostile root, and what has come of it. */
import { expect } from "bun:test";
import { SCRATCH } from "../../../src/security/defaults.ts";
import { PATIENCE } from "../helpers.ts";
import type { Case, Result } from "./driver.ts";
import { type HostilePlace, isOwn, type Kind, mountsOf, NSRUN_MOUNTS } from "./place.ts";

export const FORMS = ["directory", "written in place", "archive"] as const;
export type Form = (typeof FORMS)[number];
export const rootOptions = (place: HostilePlace, root: string, form: Form) =>
  form === "archive" ? { rootfs: place.tar(root) } : { rootfs: root, rw: form === "written in place" };

export const OWN: readonly string[] = ["/dev", "/proc", "/sys"];
export const resolvVolume = (place: HostilePlace) => `${place.dir.file("resolv")}:/etc/resolv.conf`;
const logVolume = (place: HostilePlace) => `${place.dir.file("volume")}:/var/log`;
export const allMounts = (place: HostilePlace) => ({ tmpfs: ["/run", "/tmp"], volume: [resolvVolume(place), logVolume(place)] });
/** The one mount that meets the hostile place. */
export function mountOn(place: HostilePlace, at: string): Case["options"] {
  if (OWN.includes(at)) return {};
  if (at.startsWith("/etc")) return { volume: [resolvVolume(place)] };
  return at === "/var/log" ? { volume: [logVolume(place)] } : { tmpfs: [at] };
}

/** Mount points as {@link seen} has them. */
export const listed = (paths: readonly string[]): string => [...new Set(paths)].sort().join(" ");

/** Where mounts are besides those of NSRUN_MOUNTS, when the one for `at` is there; or the errno that is told. */
export function expected(place: HostilePlace, at: string, kind: Kind, form: Form): string {
  const target = leads(place, at, kind, form);
  if (OWN.includes(at) || !target.startsWith("/")) return target;
  return listed([target, ...(form === "written in place" ? [] : SCRATCH.filter((path) => path !== at))]);
}

function leads(place: HostilePlace, at: string, kind: Kind, form: Form): string {
  if (OWN.includes(at)) {
    if (form !== "written in place") return at; // the layer's own directory covers it
    return kind === "file" || kind === "fifo" ? "ENOTDIR" : "ELOOP";
  }
  const target = at === "/etc" ? "/etc/resolv.conf" : at;
  if (kind === "host" || kind === "up") return place.host.startsWith(`${at}/`) ? "ELOOP" : "ENOENT"; // looked for inside
  if (kind === "loop") return "ELOOP";
  if (kind === "magic") return form === "written in place" ? "EXDEV" : "ELOOP"; // stopped at /proc already, or at the link in it
  if (kind === "file" || kind === "fifo") {
    if (at === "/etc/resolv.conf") return target;
    return at === "/var/log" ? "EINVAL" : "ENOTDIR";
  }
  const other: Record<string, string> = {
    "/etc": "ELOOP", // to /etc/resolv.conf
    "/etc/resolv.conf": "EINVAL", // to a directory
    "/run": "/tmp",
    "/tmp": "/var/log",
    "/var/log": "EXDEV", // to /dev
  };
  return other[at]!;
}

/** The errno, or where the mounts are that nsrun does not make by itself ("" for none). */
export function seen(result: Result, at: string): string {
  if (result.error !== undefined) return result.error;
  const mounts = mountsOf(result);
  for (const own of NSRUN_MOUNTS) expect(mounts.has(own)).toBe(true);
  expect([mounts.get("/proc"), mounts.get("/sys"), mounts.get("/dev")]).toEqual(["/ proc", "/ sysfs", "/ tmpfs"]);
  return OWN.includes(at) ? at : listed([...mounts].filter((mount) => !isOwn(mount)).map(([path]) => path));
}

/** No more than a second each (besides unpacking), one line each, nsrun's own exit code. */
export function proper(results: readonly Result[]): void {
  for (const { message = "", exitCode = 125, ms, name } of results) {
    expect({
      name,
      quick: ms < (name.includes("archive") ? 5000 : 1000) * PATIENCE,
      lines: message.split("\n").length,
      exitCode,
    }).toEqual({
      name,
      quick: true,
      lines: 1,
      exitCode: 125,
    });
  }
}
