/** The three parts of the bench, each a round-robin over its servers. */
import { helps, open, ordinaryUser, type Peer, peers, TERMINAL_MB, terminals } from "./peers.ts";
import { interleave, OUT, type Sample, Server } from "./server.ts";
import { figure, type Row, ratio, type Section } from "./table.ts";

const WARM_UP = 10;
/**
 * Milliseconds between two turns. After a container's end the kernel removes its network namespace (48 ms of cleanup_net), its user
 * namespace and, of crun and runc, its cgroups (60 ms) in the background: each row is to be measured alone (see README.md).
 */
const PAUSE = 100;
/** Between programs that make no namespaces. */
const SHORT_PAUSE = 15;
/** What a lab script does: several containers one after the other. */
const BURST = 10;
const BALLAST_MB = "512";
const worker = (...args: string[]): string[] => [process.execPath, `${import.meta.dir}/worker.ts`, ...args];
const column = (samples: readonly Sample[] | undefined, at: number): number[] =>
  (samples ?? []).map(({ us }) => us[at] ?? Number.NaN);

interface Turns {
  readonly pause?: number;
  readonly burst?: number;
  readonly warmUp?: number;
}

async function measure(servers: ReadonlyMap<string, Server>, runs: number, turns: Turns) {
  const { pause = PAUSE, burst = 1, warmUp = WARM_UP } = turns;
  try {
    await interleave(servers, warmUp, pause, burst);
    return await interleave(servers, Math.ceil(runs / Math.max(1, burst - 1)), pause, burst);
  } finally {
    await Promise.all([...servers.values()].map((server) => server.end()));
  }
}

/** Those of `list` that can be measured here, in turns. */
async function inTurns(list: readonly Peer[], runs: number, turns: Turns = {}): Promise<Row[]> {
  const servers = new Map<string, Server>();
  const skipped: Row[] = [];
  for (const peer of list) {
    const server = await open(peer);
    if (typeof server === "string") skipped.push({ name: peer.name, skipped: server });
    else servers.set(peer.name, server);
  }
  const samples = await measure(servers, runs, turns);
  return [...[...samples].map(([name, list]) => figure(name, column(list, 0))), ...skipped];
}

export async function wholeProcesses(root: string, runs: number): Promise<Section> {
  const rows = await inTurns(await peers(root), runs);
  const ratios = [
    ...ratio(rows, "nsrun run", "crun run", { most: 1.25 }),
    ...ratio(rows, "nsrun run", "runc run", { most: 0.5 }),
  ];
  return { title: "Whole processes: true in a new container", rows, ratios };
}

/** In the midst of what the kernel still does about the one before. */
export async function inARow(root: string, runs: number): Promise<Section> {
  const list = (await peers(root)).filter(({ name }) => / run$/.test(name));
  return { title: "The same, ten starts in a row", rows: await inTurns(list, runs, { burst: BURST, warmUp: 2 }), ratios: [] };
}

export async function rootless(root: string, runs: number): Promise<Section> {
  const rows = await inTurns(ordinaryUser(root), runs);
  return { title: "The same as uid 65534, by setpriv", rows, ratios: ratio(rows, "nsrun run", "bwrap", { most: 4 }) };
}

/** A second and more each: fewer runs say enough. */
export async function terminal(runs: number): Promise<Section> {
  const rows = await inTurns(terminals(), Math.ceil(runs / 4), { warmUp: 2 });
  const ratios = ratio(rows, "nsrun run -t", "script", { most: 2 });
  return { title: `cat of ${TERMINAL_MB} MB through a terminal`, rows, ratios };
}

export async function help(runs: number): Promise<Section> {
  const rows = await inTurns(helps(), runs, { pause: SHORT_PAUSE });
  const ratios = rows.flatMap(({ name }) =>
    name.startsWith("nsrun") ? ratio(rows, name, "empty Bun program", { most: 1.5 }) : [],
  );
  return { title: "Help", rows, ratios };
}

export async function inProcess(root: string, runs: number): Promise<Section> {
  const commands: [string, string[]][] = [
    ["C, init", [`${OUT}/start`, "serve", root]],
    ["library, init", worker("init")],
    ["library, init, 512 MB heap", worker("init", BALLAST_MB)],
    ["library, its defences too", worker("safe")],
    ["C, no init", [`${OUT}/start`, "serve", root, "--no-init"]],
    ["library, no init", worker("no-init")],
    ["library, no init, 512 MB heap", worker("no-init", BALLAST_MB)],
  ];
  const servers = new Map(commands.map(([name, argv]) => [name, new Server(name, argv)]));
  const samples = await measure(servers, Math.max(runs, 90), { burst: BURST });
  const rows = [...samples].flatMap(([name, list]) => {
    const result = figure(name, column(list, 0));
    return name.startsWith("library") ? [result, figure(`${name}, until closed`, column(list, 1))] : [result];
  });
  const ratios = ["init", "no init"].flatMap((kind) => [
    ...ratio(rows, `library, ${kind}`, `C, ${kind}`, { most: 1.3 }),
    ...ratio(rows, `library, ${kind}, 512 MB heap`, `library, ${kind}`, { most: 1.1 }),
  ]);
  return { title: "One process: start(['/bin/true']) to its result", rows, ratios };
}

export async function vethPair(runs: number): Promise<Section> {
  const title = "A veth pair with addresses, up, default route";
  if (!Bun.which("ip")) return { title, rows: [{ name: "all", skipped: "ip is not installed (package iproute2)" }], ratios: [] };
  const commands: [string, string[]][] = [
    ["C, the same messages", [`${OUT}/veth`, "serve"]],
    ["library", worker("veth")],
    ["six ip commands", [`${OUT}/veth`, "serve", "--ip"]],
  ];
  const servers = new Map(commands.map(([name, argv]) => [name, new Server(`veth ${name}`, ["unshare", "-n", ...argv])]));
  const samples = await measure(servers, runs, { burst: BURST });
  const rows = [...samples].flatMap(([name, list]) => {
    const pair = figure(name, column(list, 0));
    return name === "library" ? [pair, figure("library, with choosing free addresses", column(list, 1))] : [pair];
  });
  const ratios = [
    ...ratio(rows, "library", "C, the same messages", { most: 1.3 }),
    ...ratio(rows, "six ip commands", "library", { least: 3 }),
  ];
  return { title, rows, ratios };
}
