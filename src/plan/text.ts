/** `--plan`: a plan for people. A line for each group of steps, or, verbose, each step with its reason and man page. */
import { callText } from "./call.ts";
import { fold, type Group } from "./fold.ts";
import { manPage, reason } from "./manual.ts";
import type { Lane, Plan } from "./step.ts";
import { type TimelineStep, timeline } from "./timeline.ts";

/** How to colour; the caller decides whether at all. */
export interface Paint {
  lane(lane: Lane, text: string): string;
  label(text: string): string;
  dim(text: string): string;
}

export const PLAIN: Paint = { lane: (_, text) => text, label: (text) => text, dim: (text) => text };

const LANE = 9; // "container"
const LABEL = 32;

/** `text` in lines of at most `width`, cut behind a blank or a `|`; a word longer than that is cut anywhere. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.match(/[^ |]*[ |]|[^ |]+$/g) ?? []) {
    if (line !== "" && line.length + word.trimEnd().length > width) {
      lines.push(line.trimEnd());
      line = "";
    }
    line += word;
    for (; line.length > width + 1; line = line.slice(width)) lines.push(line.slice(0, width));
  }
  return [...lines, line.trimEnd()];
}

/** Call and label beside each other where there is room, else the label on the line below. */
function body(call: string, label: string, width: number, paint: Paint): string[] {
  const column = width - LABEL;
  const lines = wrap(call, width);
  const last = lines.at(-1)!;
  const room = Math.max(last.length + 2, column - Math.max(0, label.length - LABEL));
  if (room + label.length <= width) return [...lines.slice(0, -1), last.padEnd(room) + paint.label(label)];
  const below = (part: string) => " ".repeat(Math.max(0, Math.min(column, width - part.length))) + paint.label(part);
  return [...lines, ...wrap(label, width).map(below)];
}

const numbers = ({ first, last }: Pick<Group, "first" | "last">): string => (first === last ? `${first}` : `${first}-${last}`);

/** The lines of one entry behind its number and lane. */
function entry(number: string, numberWidth: number, lane: Lane, lines: readonly string[], paint: Paint): string[] {
  const indent = " ".repeat(numberWidth + LANE + 2);
  const head = `${paint.dim(number.padStart(numberWidth))} ${paint.lane(lane, lane.padEnd(LANE))} `;
  return lines.map((line, i) => (i === 0 ? head : indent) + line);
}

/** So many lines of a call in the folded view; a set of capabilities has more. */
const LINES = 3;

/** The first lines, and a sign where there are more. */
function cut(call: string, width: number): string {
  const lines = wrap(call, width);
  return lines.length <= LINES
    ? call
    : `${lines
        .slice(0, LINES)
        .join("")
        .slice(0, LINES * width - LABEL)} …`;
}

/** One line a group of steps, at most `columns` wide. */
export const planText = (plan: Plan, columns: number, paint: Paint = PLAIN): string => stepsText(timeline(plan), columns, paint);

/** The same of any list. */
export function stepsText(steps: readonly TimelineStep[], columns: number, paint: Paint = PLAIN): string {
  const groups = fold(steps);
  const numberWidth = Math.max(...groups.map((group) => numbers(group).length));
  const width = columns - numberWidth - LANE - 2;
  const lines = groups.flatMap((group) =>
    entry(numbers(group), numberWidth, group.lane, body(cut(callText(group.telling), width), group.label, width, paint), paint),
  );
  const note = `${steps.length} steps; where a line stands for several it shows the telling one; --verbose: each, with its reason`;
  const notes = groups.length < steps.length ? wrap(note, columns).map((line) => paint.dim(line)) : [];
  return [...lines, ...notes, ""].join("\n");
}

/** Every step, its label, its reason and the man page. */
export function planVerbose(plan: Plan, columns: number, paint: Paint = PLAIN): string {
  const steps = timeline(plan);
  const numberWidth = `${steps.length}`.length;
  const width = columns - numberWidth - LANE - 2;
  const lines = steps.flatMap((step, i) => {
    const why = reason(step);
    const words = wrap(`${step.label}${why === undefined ? "" : `: ${why}`}`, width).map((line) => paint.label(line));
    const text = [...wrap(callText(step), width), ...words, paint.dim(manPage(step))];
    return entry(`${i + 1}`, numberWidth, step.lane, text, paint);
  });
  return [...lines, ""].join("\n");
}
