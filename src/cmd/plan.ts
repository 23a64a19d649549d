/** `nsrun run … --plan[=FORMAT]`: the plan in one of its faces, on stdout. */
import type { RunOptions } from "../container/options.ts";
import { type Planned, planned } from "../container/planned.ts";
import { readText } from "../ffi/file.ts";
import { columns } from "../ffi/window.ts";
import type { Lane } from "../plan/step.ts";
import { type Paint, PLAIN } from "../plan/text.ts";
import type { CommandOptions } from "./parse.ts";
import { colours, print } from "./print.ts";

/** Readable where there is no terminal to ask. */
export const COLUMNS = 100;
/** Narrower than this nothing would be beside anything. */
const NARROWEST = 60;

/** Of stdout (1) or stderr (2). */
export const width = (fd: 1 | 2): number => Math.max(NARROWEST, columns(fd) || COLUMNS);

/** Colours on a terminal, unless NO_COLOR (no-color.org) is there and not empty. */
export async function paintFor(fd: 1 | 2): Promise<Paint> {
  if (columns(fd) === undefined || process.env.NO_COLOR || process.env.TERM === "dumb") return PLAIN;
  const { blue, magenta, green, yellow, cyan, dim, bold } = await colours(true);
  const lanes: Record<Lane, (text: string) => string> = {
    parent: blue,
    stage: magenta,
    uplink: cyan,
    container: green,
    payload: yellow,
  };
  return { lane: (lane, text) => lanes[lane](text), label: bold, dim };
}

type Face = (planned: Planned) => Promise<string>;

const text =
  (verbose: boolean): Face =>
  async ({ plan }) => {
    const { planText, planVerbose } = await import("../plan/text.ts");
    return (verbose ? planVerbose : planText)(plan, width(1), await paintFor(1));
  };

/** The capabilities that we have. */
function held(): bigint {
  const status = readText("/proc/self/status");
  const [, hex] = /^CapEff:\s*([0-9a-f]+)$/m.exec(typeof status === "string" ? status : "") ?? [];
  return BigInt(`0x${hex ?? "0"}`);
}

const FACES: Record<NonNullable<CommandOptions["plan"]>, Face> = {
  text: text(false),
  verbose: text(true),
  json: async ({ plan }) => `${JSON.stringify((await import("../plan/json.ts")).planJson(plan), null, 2)}\n`,
  sh: async ({ spec }) => (await import("../plan/sh.ts")).planScript(spec),
  mermaid: async ({ plan }) => (await import("../plan/mermaid.ts")).planMermaid(plan),
  oci: async ({ spec }) => `${JSON.stringify((await import("../plan/oci.ts")).ociConfig(spec, held()), null, 2)}\n`,
};

export async function showPlan(command: readonly string[], options: RunOptions, format: keyof typeof FACES): Promise<number> {
  await print(await FACES[format](await planned(command, options)));
  return 0;
}
