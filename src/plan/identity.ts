/** Who the container is: id maps of a new user namespace, users, groups, limits. */
import { AT_FDCWD, O } from "../ffi/flags.ts";
import { utf8 } from "../ffi/text.ts";
import { step } from "./list.ts";
import type { ContainerSpec, IdMap, IdMaps } from "./spec.ts";
import { type Lane, type ProgramStep, REG, type Step, type SyscallStep, slot } from "./step.ts";

/** The lines of uid_map or gid_map: container id, host id, size. */
export const mapText = (maps: readonly IdMap[]): string => maps.map((m) => `${m.containerId} ${m.hostId} ${m.size}\n`).join("");

/** Who root inside is outside, in a new user namespace: its maps always have id 0. */
export function rootOutside({ idMaps }: ContainerSpec): { uid: number; gid: number } {
  const outside = (maps: readonly IdMap[]) => maps.find(({ containerId }) => containerId === 0)!.hostId;
  return { uid: outside(idMaps!.uid), gid: outside(idMaps!.gid) };
}

/** open, write whole, close of /proc/PID/FILE by the parent. */
function writeProc(file: string, text: string, why?: string): SyscallStep[] {
  const bytes = utf8(text);
  const path = { template: ["/proc/", slot("pid"), `/${file}`] };
  return [
    step("parent", `open ${file}`, "openat", [AT_FDCWD, path, O.O_WRONLY | O.O_CLOEXEC, 0], { store: "map" }),
    step("parent", `write ${file}`, "write", [slot("map"), { bytes, text: JSON.stringify(text) }, bytes.length], {
      exact: true,
      ...(why === undefined ? {} : { why }),
    }),
    step("parent", `close ${file}`, "close", [slot("map")]),
  ];
}

/** newuidmap(1), newgidmap(1): setuid programs that check /etc/subuid and /etc/subgid and write the map for us. */
export function mapPrograms({ uid, gid, writers = {} }: IdMaps): ProgramStep[] {
  const words = (maps: readonly IdMap[]) => maps.map((m) => [m.containerId, m.hostId, m.size].map(String)).flat();
  const programs: ProgramStep["programs"] = [
    ...(writers.uid ? [[writers.uid, slot("pid"), ...words(uid)] as const] : []),
    ...(writers.gid ? [[writers.gid, slot("pid"), ...words(gid)] as const] : []),
  ];
  if (programs.length === 0) return [];
  const why = "more than one's own id is mapped only by who has CAP_SETUID outside; setgroups stays allowed";
  return [{ lane: "parent", label: "map the granted ids", programs, why }];
}

/** user_namespaces(7): the maps, written by the parent while the container waits. */
export function idMapSteps(spec: ContainerSpec): Step[] {
  const maps = spec.idMaps;
  if (spec.namespaces.user.mode !== "new" || !maps) return [];
  const { writers = {} } = maps;
  return [
    ...(maps.setgroups
      ? []
      : writeProc("setgroups", "deny", "without privilege the kernel wants this before gid_map (CVE-2014-8989)")),
    ...(writers.uid ? [] : writeProc("uid_map", mapText(maps.uid))),
    ...(writers.gid ? [] : writeProc("gid_map", mapText(maps.gid))),
    ...mapPrograms(maps),
  ];
}

/** setgroups, setresgid, setresuid: groups first, while we still may. */
export function becomeSteps(lane: Lane, uid: number, gid: number, groups: readonly number[], setgroups: boolean): SyscallStep[] {
  const packed = new Uint8Array(new ArrayBuffer(groups.length * 4 || 4));
  new Uint32Array(packed.buffer).set(groups);
  return [
    ...(setgroups
      ? [step(lane, "set the groups", "setgroups", [groups.length, { bytes: packed, text: `[${groups.join(", ")}]` }])]
      : []),
    step(lane, `become group ${gid}`, "setresgid", [gid, gid, gid]),
    step(lane, `become user ${uid}`, "setresuid", [uid, uid, uid]),
  ];
}

const limitText = (n: number): string => (n === Number.POSITIVE_INFINITY ? "RLIM64_INFINITY" : String(n));

const limit = (lane: Lane, label: string, resource: number, soft: number, hard: number, why?: string): SyscallStep => {
  const words = [soft, hard].map((n) => (n === Number.POSITIVE_INFINITY ? -1 : n));
  const args = [0, resource, { words, text: `{rlim_cur=${limitText(soft)}, rlim_max=${limitText(hard)}}` }, 0];
  return step(lane, label, "prlimit64", args, why === undefined ? {} : { why });
};

export const limitSteps = (spec: ContainerSpec): SyscallStep[] =>
  spec.process.rlimits.map(({ name, resource, soft, hard }) => limit("payload", `limit ${name}`, resource, soft, hard));

/** By the stage, which is still root of the initial user namespace. Its own soft limit stays. */
export const raiseSteps = (spec: ContainerSpec): SyscallStep[] =>
  spec.process.rlimits
    .map(({ name, resource, hard, raised }) =>
      raised === undefined
        ? []
        : [limit("stage", `raise the hard limit ${name}`, resource, raised, hard, "in a user namespace nobody may raise one")],
    )
    .flat();

/** time_namespaces(7): the offsets can be written only before the namespace has a process. */
export function timeSteps(spec: ContainerSpec, lane: Lane): SyscallStep[] {
  if (spec.namespaces.time.mode !== "new") return [];
  const { monotonic, boottime } = spec.timeOffsets;
  const text = `monotonic ${monotonic} 0\nboottime ${boottime} 0\n`;
  const bytes = utf8(text);
  return [
    step(lane, "new time namespace for the children", "unshare", [0x80]),
    step(lane, "open its offsets", "openat", [AT_FDCWD, "/proc/self/timens_offsets", O.O_WRONLY | O.O_CLOEXEC, 0], {
      store: true,
    }),
    step(lane, "write its offsets", "write", [REG, { bytes, text: JSON.stringify(text) }, bytes.length], { exact: true }),
  ];
}
