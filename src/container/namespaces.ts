/** --share, --unshare, --join and --net become one use for each namespace. */
import { UsageError } from "../errors.ts";
import { errnoName, errnoText } from "../ffi/errno.ts";
import { readLink } from "../ffi/file.ts";
import { didYouMean } from "../near.ts";
import { NAMESPACES, type Namespace, type NamespaceUse } from "../plan/spec.ts";
import type { Caller } from "./caller.ts";
import type { ContainerOptions } from "./options.ts";

const ALIASES: Readonly<Record<string, Namespace>> = { mount: "mnt", network: "net" };

/** A namespace by name; `option` for the message. */
function namespace(text: string, option: string): Namespace {
  const name = ALIASES[text] ?? text;
  if ((NAMESPACES as readonly string[]).includes(name)) return name as Namespace;
  const near = didYouMean(name, [...NAMESPACES, ...Object.keys(ALIASES)]);
  const hint = near && `did you mean ${near}?`;
  throw new UsageError(`${option} ${text}: unknown namespace (known: ${NAMESPACES.join(" ")})`, { hint });
}

const list = (texts: readonly string[] | undefined, option: string): Namespace[] =>
  (texts ?? []).map((text) => text.split(",").map((name) => namespace(name, option))).flat();

/** PATH, or the pid of a process whose namespace is meant. */
function joinTarget(ns: Namespace, target: string, option: string): string {
  const path = /^[0-9]+$/.test(target) ? `/proc/${target}/ns/${ns}` : target;
  if (!path.startsWith("/")) throw new UsageError(`${option}: neither a pid nor an absolute path: ${target}`);
  return path;
}

function joins(options: ContainerOptions): [Namespace, NamespaceUse][] {
  if (!options.join) return [];
  return options.join.map((text) => {
    const at = text.indexOf("=");
    if (at < 1 || at === text.length - 1) throw new UsageError(`--join ${text}: expected NS=PATH or NS=PID`);
    const ns = namespace(text.slice(0, at), "--join");
    return [ns, { mode: "join", path: joinTarget(ns, text.slice(at + 1), `--join ${text}`) }];
  });
}

function network(net: string | undefined): NamespaceUse | undefined {
  if (net === undefined || net === "none" || net === "veth" || net === "pasta") return undefined;
  if (net === "host") return { mode: "share" };
  if (net.startsWith("ns:") && net.length > 3) return { mode: "join", path: joinTarget("net", net.slice(3), `--net ${net}`) };
  throw new UsageError(`--net ${net}: expected none, host, veth, pasta or ns:PATH`);
}

const NAMESPACE_OPTIONS = ["share", "unshare", "join", "net", "userns", "uidMap", "gidMap", "monotonic", "boottime"] as const;

function refuseNamespaceOptions(options: ContainerOptions): void {
  const given = NAMESPACE_OPTIONS.find((key) =>
    Array.isArray(options[key]) ? options[key].length > 0 : options[key] !== undefined,
  );
  const dashed = given?.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);
  if (given) throw new UsageError(`--${dashed} and --no-namespaces exclude each other`);
}

/**
 * Joining or sharing what is asked for; everything else new, but for time, and for user where root has no ids to give (in a user
 * namespace) or enters a pid or mount namespace that is not ours to map.
 */
export function namespaceUses(options: ContainerOptions, caller: Caller): Record<Namespace, NamespaceUse> {
  const uses = {} as Record<Namespace, NamespaceUse>;
  if (options.namespaces === false) {
    refuseNamespaceOptions(options);
    for (const ns of NAMESPACES) uses[ns] = { mode: "share" };
    return uses;
  }
  const entered = joins(options).some(([ns]) => ns === "pid" || ns === "mnt");
  const ownUser = !caller.admin || (caller.privileged && !entered);
  for (const ns of NAMESPACES) uses[ns] = { mode: ns === "time" || (ns === "user" && !ownUser) ? "share" : "new" };
  const said = new Map<Namespace, string>();
  const put = (ns: Namespace, use: NamespaceUse, by: string) => {
    const before = said.get(ns);
    if (before !== undefined && before !== by) throw new UsageError(`the ${ns} namespace is given by ${before} and by ${by}`);
    said.set(ns, by);
    uses[ns] = use;
  };
  if (options.userns !== undefined) {
    if (options.userns === "host" && !caller.admin) throw new UsageError("--userns host needs root");
    put("user", { mode: options.userns === "host" ? "share" : "new" }, "--userns");
  }
  for (const ns of list(options.unshare, "--unshare")) put(ns, { mode: "new" }, "--unshare");
  for (const ns of list(options.share, "--share")) put(ns, { mode: "share" }, "--share");
  for (const [ns, use] of joins(options)) put(ns, use, "--join");
  for (const [key, option] of [
    ["uidMap", "--uid-map"],
    ["gidMap", "--gid-map"],
  ] as const) {
    if (!options[key]?.length) continue;
    if (options.userns !== undefined) throw new UsageError(`the user namespace is given by --userns and by ${option}`);
    if (said.has("user") && uses.user.mode !== "new")
      throw new UsageError(`${option} needs a user namespace of the container's own`);
    uses.user = { mode: "new" };
  }
  const net = network(options.net);
  if (net) put("net", net, "--net");
  if ((options.net === "veth" || options.net === "pasta") && uses.net.mode !== "new")
    throw new UsageError(`--net ${options.net} needs a network namespace of its own`);
  if (uses.pid.mode === "join" && uses.user.mode === "new" && uses.mnt.mode === "new")
    throw new UsageError("--join pid: in a new user namespace there can be no /proc of a joined pid namespace", {
      hint: `join the user namespace that owns it: --join user=…${caller.admin ? ", or keep the caller's: --share user" : ""}`,
    });
  const clock = options.monotonic !== undefined ? "monotonic" : options.boottime !== undefined ? "boottime" : undefined;
  if (clock && !said.has("time")) uses.time = { mode: "new" };
  if (clock && uses.time.mode !== "new") throw new UsageError(`--${clock} needs a time namespace of the container's own`);
  return uses;
}

const ENOENT = 2;
const ESRCH = 3;

/** A joined namespace's file must be one of that type; what is no nsfs file at all the kernel refuses as well. */
export function checkJoined(uses: Record<Namespace, NamespaceUse>): void {
  for (const ns of NAMESPACES) {
    const use = uses[ns];
    if (use.mode !== "join" || !use.path.startsWith("/proc/")) continue;
    const link = readLink(use.path);
    if (typeof link === "string") continue;
    const why = [ENOENT, ESRCH].includes(-link) ? "no such process" : `${errnoName(-link)} (${errnoText(-link)})`;
    throw new UsageError(`cannot join the ${ns} namespace ${use.path}: ${why}`);
  }
}
