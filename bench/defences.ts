/**
 * What each defence costs a start: the library in one process, each defence switched off in turn, all rows round-robin.
 * `bun bench/defences.ts [ROUNDS]`, as root. Milliseconds from the call of start() to the result.
 */
import { type ContainerOptions, run } from "../src/index.ts";

const filterOff = { seccomp: "none" };
const masksOff = { unmask: ["all"] };
const keyringOff = { newKeyring: false };
const usernsOff: ContainerOptions = { userns: "host" };
const ROWS: Readonly<Record<string, ContainerOptions>> = {
  default: {},
  "without the filter": filterOff,
  "without masks": masksOff,
  "the root's own /tmp, /run, a writable /dev": { unmask: ["/tmp", "/run", "/dev"] },
  "without a keyring": keyringOff,
  "without a user namespace": usernsOff,
  "all capabilities": { capAdd: ["all"], seccomp: "none" },
  "none of them": { ...filterOff, ...masksOff, ...keyringOff, ...usernsOff, capAdd: ["all"], newPrivileges: true },
};

const rounds = Number(process.argv[2] ?? 100);
const times = new Map(Object.keys(ROWS).map((name) => [name, [] as number[]]));
for (let round = -10; round < rounds; round++) {
  for (const [name, options] of Object.entries(ROWS)) {
    await run(["true"], options); // a change of plan is encoded anew: not counted
    const { timings } = await run(["true"], options);
    if (round >= 0) times.get(name)!.push(timings.ended);
    await Bun.sleep(5); // the kernel removes network namespaces in the background
  }
}
const median = (list: readonly number[]) => [...list].sort((a, b) => a - b)[list.length >> 1] ?? 0;
for (const [name, list] of times) console.log(`${name.padEnd(44)} ${median(list).toFixed(3)}`);
