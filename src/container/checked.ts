/** What a script calls with is checked as the compiler would have done: a name that is not there must not be passed over. */
import { UsageError } from "../errors.ts";
import { didYouMean } from "../near.ts";
import type { ContainerOptions, ExecOptions, RunOptions } from "./options.ts";

/** Kinds of values, in the words of the message; undefined is always allowed. */
const KINDS = {
  string: "a string",
  number: "a number",
  boolean: "true or false",
  list: "a list of strings",
  object: "an object",
  bytes: "a Uint8Array",
  signal: "an AbortSignal",
  function: "a function",
} as const;
type Kind = keyof typeof KINDS;
type Kinds = Kind | `${Kind} ${Kind}`;

const STREAM = "string number";

export const CONTAINER = {
  name: "string",
  rootfs: "string",
  busybox: "string",
  rw: "boolean",
  readOnly: "boolean",
  chroot: "boolean",
  hostname: "string",
  domainname: "string",
  net: "string",
  ip: "string",
  hostIp: "string",
  ifname: "string",
  gateway: "string",
  publish: "list",
  landlock: "list",
  namespaces: "boolean",
  share: "list",
  unshare: "list",
  join: "list",
  monotonic: "number string",
  boottime: "number string",
  volume: "list",
  tmpfs: "list",
  mount: "list",
  env: "list object",
  envFile: "list",
  cwd: "string",
  user: "string",
  userns: "string",
  uidMap: "list",
  gidMap: "list",
  capAdd: "list",
  capDrop: "list",
  seccomp: "string",
  newPrivileges: "boolean",
  newKeyring: "boolean",
  unmask: "list",
  ulimit: "list",
  cgroup: "list",
  pidsLimit: "string number",
  propagation: "string",
  init: "boolean",
  say: "function",
  signal: "signal",
  maxSize: "number string",
  maxEntries: "number string",
  maxDepth: "number string",
  maxPath: "number string",
  maxRatio: "number string",
} as const satisfies Record<keyof ContainerOptions, Kinds>;

export const RUN = {
  stdin: STREAM,
  input: "string bytes",
  stdout: STREAM,
  stderr: STREAM,
  tty: "boolean string",
  observer: "object",
} as const satisfies Record<Exclude<keyof RunOptions, keyof ContainerOptions>, Kinds>;

export const EXEC = {
  env: "list object",
  cwd: "string",
  user: "string",
  stdin: STREAM,
  input: "string bytes",
  stdout: STREAM,
  stderr: STREAM,
} as const satisfies Record<keyof ExecOptions, Kinds>;

/** Of options whose strings are words: which. */
const STREAMS = ["inherit", "ignore", "pipe"];
const WORDS: Readonly<Record<string, readonly string[]>> = { stdin: STREAMS, stdout: STREAMS, stderr: STREAMS, tty: ["auto"] };

type Table = Readonly<Record<string, Kinds>>;

function isList(value: unknown): boolean {
  if (!Array.isArray(value)) return false;
  for (const one of value) if (typeof one !== "string") return false;
  return true;
}

function kindOf(value: unknown): string {
  if (typeof value !== "object") return typeof value;
  if (Array.isArray(value)) return isList(value) ? "list" : "a list of other things";
  if (value instanceof Uint8Array) return "bytes";
  return value === null ? "null" : value instanceof AbortSignal ? "signal" : "object";
}

const inWords = (kind: string): string => (Object.hasOwn(KINDS, kind) ? KINDS[kind as Kind] : kind);

function unknownOption(key: string, tables: readonly Table[]): UsageError {
  const near = didYouMean(key, tables.flatMap(Object.keys));
  return new UsageError(`unknown option ${key}`, near ? { hint: `did you mean ${near}?` } : {});
}

function kindsOf(key: string, tables: readonly Table[]): Kinds | undefined {
  for (const table of tables) {
    const kinds: unknown = table[key];
    if (typeof kinds === "string") return kinds as Kinds; // what every object has by inheritance (`toString`) is no string
  }
  return undefined;
}

/** Throws UsageError for a name that none of the tables has, and for a value of another kind. */
export function checkOptions(options: unknown, ...tables: readonly Table[]): void {
  if (typeof options !== "object" || options === null)
    throw new UsageError(`the options: expected an object, not ${inWords(kindOf(options))}`);
  for (const key in options) {
    const value: unknown = (options as Record<string, unknown>)[key];
    const kinds = kindsOf(key, tables);
    if (kinds === undefined) throw unknownOption(key, tables);
    const kind = kindOf(value);
    // no kind is part of another's name
    if (kind !== "undefined" && !kinds.includes(kind))
      throw new UsageError(`${key}: expected ${kinds.split(" ").map(inWords).join(" or ")}, not ${inWords(kind)}`);
    if (kind === "string" && WORDS[key] && !WORDS[key].includes(value as string))
      throw new UsageError(`${key} ${value}: expected one of ${WORDS[key]!.join(" ")}`);
  }
}

/** Throws UsageError. */
export function checkCommand(command: unknown): asserts command is readonly string[] {
  if (!isList(command)) throw new UsageError(`the command: expected a list of strings, not ${inWords(kindOf(command))}`);
}
