/** Figures, ratios and how they are shown. */

export interface Figure {
  readonly name: string;
  readonly runs: number;
  /** Milliseconds. */
  readonly median: number;
  readonly p10: number;
}

export interface Skipped {
  readonly name: string;
  readonly skipped: string;
}

export type Row = Figure | Skipped;

export interface Ratio {
  readonly name: string;
  readonly ratio: number;
  /** The same of the p10s: less disturbed by what else the machine does. */
  readonly p10: number;
  readonly target: string;
  readonly met: boolean;
}

export interface Section {
  readonly title: string;
  readonly rows: readonly Row[];
  readonly ratios: readonly Ratio[];
}

/** The value below which the part `q` of all lies. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
}

export function figure(name: string, us: readonly number[]): Figure {
  return { name, runs: us.length, median: quantile(us, 0.5) / 1000, p10: quantile(us, 0.1) / 1000 };
}

const isFigure = (row: Row | undefined): row is Figure => row !== undefined && "median" in row;

/** `a` over `b`, to be at most `most`; or, with `least`, at least so much. Nothing where one of them is missing. */
export function ratio(rows: readonly Row[], a: string, b: string, limit: { most: number } | { least: number }): Ratio[] {
  const [x, y] = [a, b].map((name) => rows.find((row) => row.name === name));
  if (!isFigure(x) || !isFigure(y)) return [];
  const value = x.median / y.median;
  const met = "most" in limit ? value <= limit.most : value >= limit.least;
  const target = "most" in limit ? `<= ${limit.most}` : `>= ${limit.least}`;
  return [{ name: `${a} / ${b}`, ratio: value, p10: x.p10 / y.p10, target, met }];
}

function line(row: Row): string {
  if (!isFigure(row)) return `  ${row.name.padEnd(52)} skipped: ${row.skipped}`;
  return `  ${row.name.padEnd(52)}${row.median.toFixed(2).padStart(9)}${row.p10.toFixed(2).padStart(9)}${String(row.runs).padStart(6)}`;
}

function ratioLine({ name, ratio, p10, target, met }: Ratio): string {
  const value = `${ratio.toFixed(2).padStart(9)}${p10.toFixed(2).padStart(9)}`;
  return `  ${name.padEnd(52)}${value}   target ${target}: ${met ? "met" : "MISSED"}`;
}

export function render({ title, rows, ratios }: Section): string {
  const head = `${title.padEnd(54)}${"median".padStart(9)}${"p10".padStart(9)}${"runs".padStart(6)}   (ms)`;
  return [head, ...rows.map(line), ...ratios.map(ratioLine), ""].join("\n");
}
