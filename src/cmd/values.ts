/** What can stand for the placeholders in an option's or operand's value, such as `NS=PATH|PID`: for the completions. */

/** `part`: more has to follow, so no blank after it. Of files, dirs and commands the shell knows best; `text` stands before them. */
export interface Candidate {
  readonly kind: "word" | "part" | "files" | "dirs" | "commands";
  readonly text: string;
  readonly help?: string;
}

type Known = readonly string[] | "files" | "dirs";
/** `before` is what stands before the placeholder in the word. */
type Source = (before: string) => Promise<Known>;

const mountOptions = async () => (await import("../container/mounts.ts")).BIND_WORDS;

/** The kernel's words: those of the file systems that need no device. */
async function fileSystems(): Promise<readonly string[]> {
  const { readText } = await import("../ffi/file.ts");
  const text = readText("/proc/filesystems");
  const found = typeof text === "string" ? [...text.matchAll(/^nodev\t(\w+)$/gm)].map(([, name]) => name!) : [];
  return ["bind", ...found];
}

/** By placeholder, or by option and placeholder where the option matters. */
const SOURCES: Readonly<Record<string, Source>> = {
  DIR: async () => "dirs",
  FILE: async () => "files",
  PATH: async () => "files",
  SRC: async () => "files",
  TAR: async () => "files",
  NS: async () => (await import("../plan/spec.ts")).NAMESPACES,
  CAP: async () => [...(await import("../ffi/flags.ts")).CAPABILITIES.map((name) => name.slice(4).toLowerCase()), "all"],
  "unmask PATH": async () => [],
  "demo NAME": async () => (await import("../lessons/index.ts")).LESSONS.map(({ name }) => name),
  "cwd DIR": async () => [], // inside
  "tmpfs PATH": async () => [], // inside
  "env KEY": async () => Object.keys(process.env).sort(),
  "mount KEY": async () => ["type=", "src=", "dst=", ...(await mountOptions())],
  "mount VALUE": async (before) => (before.endsWith("type=") ? await fileSystems() : before.endsWith("src=") ? "files" : []),
  "propagation TYPE": async () => (await import("../container/mounts.ts")).PROPAGATIONS,
  "tmpfs OPT": async () => ["size=", "mode=", "nr_inodes=", ...(await mountOptions()).filter((word) => !/bind|rro/.test(word))],
  "ulimit NAME": async () => Object.keys((await import("../ffi/flags.ts")).RLIMIT),
  "volume OPT": async () => [...(await mountOptions()), ...(await import("../container/mounts.ts")).PROPAGATIONS],
};

/** `DST?:` in `SRC:DST[:OPT,…]`: a placeholder or literal word, and the sign that leads to the next one. */
interface Field {
  readonly name: string;
  /** More of it may follow after a comma. */
  readonly list: boolean;
  readonly sign: string;
  /** The sign has to follow. */
  readonly must: boolean;
}

/** The alternatives of a value, each a row of fields; `list`: the whole may be repeated after a comma. */
export function shape(value: string): { list: boolean; alternatives: Field[][] } {
  const flat = value
    .replace(/\[[^\]]*\|[^\]]*\]/g, "")
    .replace(/,…\]/g, "*")
    .replace(/\[([:=])/g, "?$1")
    .replace(/[[\]]/g, "");
  const field = /([\w-]+)(\*?)(\??)([:=]?)/g;
  const fields = (text: string): Field[] =>
    [...text.matchAll(field)].map(([, name = "", star, optional, sign = ""]) => {
      return { name, list: star === "*", sign, must: sign !== "" && optional === "" };
    });
  return { list: flat.endsWith(",…"), alternatives: flat.replace(/,…$/, "").split("|").map(fields) };
}

const isLiteral = (name: string): boolean => name === name.toLowerCase();

/** The field in which `text` ends, and what stands before it; undefined when `text` does not begin like `fields`. */
function reached(fields: readonly Field[], text: string): { field: Field; before: string } | undefined {
  let at = 0;
  for (const field of fields) {
    const end = field.sign ? text.indexOf(field.sign, at) : -1;
    if (end < 0) return { field, before: text.slice(0, at) };
    if (isLiteral(field.name) && text.slice(at, end) !== field.name) return undefined;
    at = end + 1;
  }
  return undefined;
}

/** Where the last item of a comma-separated list begins. */
const lastItem = (text: string): number => text.lastIndexOf(",") + 1;

/** What `text`, which begins the value of `owner` (an option, or an operand's command), can become. */
export async function valueCandidates(owner: string, value: string, text: string): Promise<Candidate[]> {
  const { list, alternatives } = shape(value);
  const whole = list ? text.slice(0, lastItem(text)) : "";
  const found: Candidate[] = [];
  for (const fields of alternatives) {
    const end = reached(fields, text.slice(whole.length));
    if (!end) continue;
    const { field } = end;
    const begun = whole + end.before;
    const before = field.list ? begun + text.slice(begun.length, begun.length + lastItem(text.slice(begun.length))) : begun;
    const source = SOURCES[`${owner} ${field.name}`] ?? SOURCES[field.name];
    const known = isLiteral(field.name) ? [field.name] : ((await source?.(before)) ?? []);
    if (typeof known === "string") {
      found.push({ kind: known, text: before });
      continue;
    }
    const used = field.list || list ? text.slice(0, before.length).split(/[:,]/) : [];
    for (const word of known) {
      const full = before + word + (field.must ? field.sign : "");
      if (!full.startsWith(text) || used.includes(word)) continue;
      found.push({ kind: list || field.list || /[=:]$/.test(full) ? "part" : "word", text: full });
    }
  }
  const files = found.some(({ kind }) => kind === "files"); // directories are among them
  return files ? found.filter(({ kind }) => kind !== "dirs") : found;
}
