/** `--plan=mermaid`: who asks the kernel for what, and who waits for whom, as a sequence diagram (mermaid.js.org). */
import { callText } from "./call.ts";
import { fold, type Group } from "./fold.ts";
import type { Lane, Plan } from "./step.ts";
import { timeline } from "./timeline.ts";

const NAMES: Readonly<Record<Lane | "kernel", string>> = {
  parent: "parent (nsrun)",
  stage: "stage",
  uplink: "uplink",
  container: "container (pid 1)",
  payload: "command",
  kernel: "kernel",
};

/** Entities for what mermaid would read as its own or as HTML. */
const entities = (text: string): string => text.replace(/[#;<>&"]/g, (char) => `#${char.charCodeAt(0)};`).replaceAll("\n", " ");

const number = ({ first, last }: Group): string => (first === last ? `${first}` : `${first}–${last}`);

/** The process that a clone of `lane` makes. */
function born(group: Group, groups: readonly Group[]): Lane | undefined {
  if (!/^clone3?\(/.test(callText(group.telling))) return undefined;
  return groups.slice(groups.indexOf(group) + 1).find(({ lane }) => lane !== group.lane && lane !== "parent")?.lane;
}

/** Who hears the parent's go. */
const waits = ({ child }: Plan): Lane => child.find(({ label }) => label === "wait for the parent's go")?.lane ?? "container";

function lines(group: Group, groups: readonly Group[], go: Lane): string[] {
  const { lane, telling, label } = group;
  const call = callText(telling);
  const text = `${number(group)}. ${entities(label)}<br/>${entities(call.length > 90 ? `${call.slice(0, 89)}…` : call)}`;
  if ("fixed" in telling) return [`parent->>${telling.fixed === "go" ? go : "stage"}: ${text}`];
  if ("call" in telling && telling.label === "report the pid") return [`${lane}->>parent: ${text}`];
  const child = born(group, groups);
  if (child) return [`${lane}->>kernel: ${text}`, `kernel-->>${child}: a new process`];
  return [`${lane}->>kernel: ${text}`];
}

/** The diagram's text. Paste it into any Markdown that knows mermaid. */
export function planMermaid(plan: Plan): string {
  const groups = fold(timeline(plan));
  const lanes = (["parent", "stage", "uplink", "container", "payload"] as const).filter((lane) =>
    groups.some((g) => g.lane === lane),
  );
  return [
    "sequenceDiagram",
    ...[...lanes, "kernel" as const].map((lane) => `  participant ${lane} as ${NAMES[lane]}`),
    ...groups.flatMap((group) => lines(group, groups, waits(plan))).map((line) => `  ${line}`),
    "",
  ].join("\n");
}
