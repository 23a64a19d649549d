/** `nsrun demo`: lists the lessons, runs them, explains them. */
import { isatty } from "node:tty";
import { findCaller } from "../container/caller.ts";
import { errorLines, UsageError } from "../errors.ts";
import { codeOf, explain, LESSONS, type Lesson, lessonNamed, type Result, runLesson } from "../lessons/index.ts";
import { didYouMean } from "../near.ts";
import { PLAIN } from "../plan/text.ts";
import { COLUMNS, paintFor, width } from "./plan.ts";
import { colours, print, screen, warn } from "./print.ts";

/** Switches: there or not. */
export interface DemoOptions {
  readonly all?: unknown;
  readonly json?: unknown;
  readonly explain?: unknown;
  readonly code?: unknown;
}

const ENDING = [
  ["SIGINT", 2],
  ["SIGTERM", 15],
  ["SIGHUP", 1],
] as const;

type Colours = Awaited<ReturnType<typeof colours>>;

const say = (text: string): Promise<void> => print(`${text}\n`);
const sayJson = (value: unknown): Promise<void> => say(JSON.stringify(value, null, 2));

/** What the kernel or a program has said, in one line. */
const oneLine = (text: string): string => text.replace(/[\0-\x1f\x7f]+/g, " ");

async function list(json: boolean, pc: Colours): Promise<void> {
  if (json) {
    await sayJson({ version: 1, lessons: LESSONS.map(({ name, title, will }) => ({ name, title, will })) });
    return;
  }
  const width = Math.max(...LESSONS.map(({ name }) => name.length));
  for (const { name, title } of LESSONS) await say(`${pc.bold(name.padEnd(width))}  ${title}`);
}

async function before({ name, title, will }: Lesson, pc: Colours): Promise<void> {
  await say(`${pc.bold(name)}: ${title}`);
  for (const [i, line] of will.entries()) await say(`  ${i + 1}. ${line}`);
}

/** The observations beside the predictions. */
async function after({ lab, error }: Result, pc: Colours): Promise<void> {
  const rows = lab.proofs.map((proof) => [proof.what, proof.predicted, proof.observed].map(oneLine));
  const head = ["what", "predicted", "observed"];
  const widths = [0, 1].map((column) => Math.max(...[head, ...rows].map((row) => row[column]!.length)));
  const line = (row: readonly string[]): string => row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join("  ");
  if (rows.length > 0) await say(pc.dim(`    ${line(head)}`));
  for (const [i, row] of rows.entries()) await say(`  ${lab.proofs[i]!.ok ? pc.green("✓") : pc.red("✗")} ${line(row)}`);
  for (const { title, lines } of lab.shown) {
    await say(`  ${title}:`);
    for (const text of lines) await say(`    ${text}`);
  }
  for (const { part, why, remedy } of lab.missing) {
    await say(`  ${pc.yellow("-")} not shown here: ${part}: ${oneLine(why)}`);
    await say(`    what would help: ${oneLine(remedy)}`);
  }
  if (error) await warn(errorLines(error, process.env.NSRUN_DEBUG === "1"));
}

const asJson = ({ lesson, lab, status, error }: Result) => ({
  name: lesson.name,
  title: lesson.title,
  status,
  proofs: lab.proofs,
  missing: lab.missing,
  shown: lab.shown,
  ...(error ? { error: error.message } : {}),
});

async function explained(lessons: readonly Lesson[], json: boolean, pc: Colours): Promise<void> {
  const caller = findCaller();
  const [columns, paint] = json ? [COLUMNS, PLAIN] : [width(1), await paintFor(1)];
  const all = [];
  for (const lesson of lessons) {
    const plans = await explain(lesson, caller, columns, paint);
    all.push({ name: lesson.name, title: lesson.title, will: lesson.will, plans });
    if (json) continue;
    await before(lesson, pc);
    for (const { title, text } of plans) await say(`\n${pc.bold(title)}\n${text.trimEnd()}`);
    await say("");
  }
  if (json) await sayJson({ version: 1, lessons: all });
}

async function programs(lessons: readonly Lesson[], json: boolean): Promise<void> {
  if (json) await sayJson({ version: 1, lessons: lessons.map((lesson) => ({ name: lesson.name, code: codeOf(lesson) })) });
  else await print(lessons.map(codeOf).join("\n"));
}

/** The article's end: a shell, for whoever sits there. */
async function shell(): Promise<void> {
  await say("a shell in such a container; leave it with exit");
  for (const [signal] of ENDING) process.removeAllListeners(signal); // run.ts passes them on
  const { runCommand } = await import("./run.ts");
  await runCommand([], true);
}

/** Runs them one after the other. The exit code is 1 when something was not as predicted, 125 when a lesson has failed. */
async function run(lessons: readonly Lesson[], json: boolean, pc: Colours): Promise<number> {
  const caller = findCaller();
  const results: Result[] = [];
  for (const lesson of lessons) {
    if (!json) await before(lesson, pc);
    const result = await runLesson(lesson, caller);
    results.push(result);
    if (json) continue;
    await after(result, pc);
    if (lesson.name === "full" && lessons.length === 1 && isatty(0) && isatty(1)) await shell();
    else if (lessons.length > 1) await say("");
  }
  const those = (status: Result["status"]) =>
    results.filter((result) => result.status === status).map(({ lesson }) => lesson.name);
  const [differing, failed] = [those("differs"), those("failed")];
  if (json) await sayJson({ version: 1, lessons: results.map(asJson) });
  else if (lessons.length > 1) await say(summary(differing, failed));
  if (differing.length > 0) return 1;
  return failed.length > 0 ? 125 : 0;
}

function summary(differing: readonly string[], failed: readonly string[]): string {
  const parts = [
    ...(differing.length > 0 ? [`not as predicted: ${differing.join(" ")}`] : []),
    ...(failed.length > 0 ? [`failed: ${failed.join(" ")}`] : []),
  ];
  return parts.length > 0 ? parts.join("; ") : "all that could be shown is as predicted";
}

/** Ended by a signal, temporary directories go too: process.exit() runs what removes them. The kernel and the stage do the rest. */
function endCleanly(): void {
  for (const [signal, number] of ENDING) {
    process.once(signal, () => process.exit(128 + number));
  }
}

/** Returns the exit code. Throws UsageError. */
export async function demoCommand(names: readonly string[], options: DemoOptions): Promise<number> {
  const [all, json] = [options.all === true, options.json === true];
  const pc = await colours(screen().colour);
  if (options.explain && options.code) throw new UsageError("--explain and --code: one of them");
  if (all && names.length > 0) throw new UsageError("--all and the name of a lesson: one of them");
  const chosen = all ? LESSONS : names.map((name) => lessonNamed(name, didYouMean));
  if (chosen.length === 0) {
    if (options.explain || options.code) throw new UsageError("name a lesson, or --all", { hint: "nsrun demo lists them" });
    await list(json, pc);
    return 0;
  }
  if (options.code) await programs(chosen, json);
  else if (options.explain) await explained(chosen, json, pc);
  else {
    endCleanly();
    return await run(chosen, json, pc);
  }
  return 0;
}
