/** The parent's lane against what strace saw of Bun: among thousands of calls, those that change something outside of itself. */
import { expect } from "bun:test";
import { type Bindings, type JsonStep, matchStep } from "./lanes.ts";
import { type Call, splitArguments } from "./strace.ts";

/** Calls by which the parent can change something outside of itself. umask(2) it sets and gives back. */
const CHANGING =
  /^(fs(open|config|mount)|open_tree|move_mount|mount(_setattr)?|umount2?|mk(nod|dir)(at)?|symlink(at)?|link(at)?|unlink(at)?|rename(at2?)?|f?chown(at)?|f?chmod(at)?|setns|unshare|chroot|pivot_root|set(host|domain)name|kill|pidfd_send_signal|execve|execveat)$/;
const WRITING = /O_CREAT|O_TRUNC|O_WRONLY|O_RDWR/;

export const newProcess = (call: Call) => /^(clone|clone3|v?fork)$/.test(call.name) && !call.args.join().includes("CLONE_THREAD");

/** strace does not always know that a socket is rtnetlink's: linux/rtnetlink.h. */
const RTM: Record<string, string> = {
  "0x10": "RTM_NEWLINK",
  "0x11": "RTM_DELLINK",
  "0x14": "RTM_NEWADDR",
  "0x18": "RTM_NEWROUTE",
};
const changes = (call: Call): string[] =>
  call.name !== "sendto" && call.name !== "sendmsg"
    ? []
    : [...call.args.join(", ").matchAll(/nlmsg_type=(\w+)/g)]
        .map((m) => RTM[m[1]!] ?? m[1]!)
        .filter((t) => /_(NEW|DEL|SET)/.test(t));

/** What the plan leaves out: marks and records of what is in use (src/rootfs/cache-use.ts, records.ts). */
const NOT_PLANNED = /^"\/(dev|proc\/self)\/|\/use-[^/]+"$|\/nsrun\/(ids|networks)"$/;

const opensForWriting = (call: Call): boolean =>
  call.name === "openat" && WRITING.test(call.args[2] ?? "") && !NOT_PLANNED.test(call.args[1] ?? "");

const isGo = (call: Call): boolean => call.name === "sendto" && call.args[1] === '"g"';
const passesDescriptor = (call: Call): boolean => call.name === "sendmsg" && call.args[1]?.includes("SCM_RIGHTS") === true;

/** What changes something, of `calls` in order; a failed call has changed nothing. */
export function changing(calls: readonly Call[]): Call[] {
  const written = new Set<string>();
  return calls.filter((call) => {
    if (call.result.startsWith("-1")) return false;
    if (call.name === "close") written.delete(call.args[0]!);
    if (call.name === "write") return written.has(call.args[0]!);
    if (opensForWriting(call)) written.add(call.result);
    return (
      opensForWriting(call) ||
      CHANGING.test(call.name) ||
      newProcess(call) ||
      changes(call).length > 0 ||
      isGo(call) ||
      passesDescriptor(call)
    );
  });
}

/** The steps whose calls {@link changing} looks for. */
export function changingSteps(steps: readonly JsonStep[]): JsonStep[] {
  const made = (name: string, text: string): Call => ({
    name,
    args: splitArguments(/\((.*)\)$/s.exec(text)?.[1] ?? ""),
    result: "<map>",
  });
  const own = /^(rtnetlink|start|go|write)$/;
  return steps.filter(({ call, text }) => own.test(call.name) || changing([made(call.name, text)]).length > 0);
}

const VERBS: Record<string, string[]> = {
  "link add veth": ["RTM_NEWLINK"],
  "link set alias": ["RTM_NEWLINK"],
  "link set up": ["RTM_NEWLINK"],
  "address add": ["RTM_NEWADDR"],
  "route add default": ["RTM_NEWROUTE"],
};

/** A name as text, or as the bytes that strace shows of a message it does not know. */
const mentions = (call: Call, text: string): boolean => {
  const all = call.args.join(", ");
  return all.includes(text) || all.includes([...Buffer.from(text)].map((b) => `\\x${b.toString(16).padStart(2, "0")}`).join(""));
};

interface Verb {
  side: string;
  verb: string;
  alias?: string;
  name?: string;
  peer?: { name: string };
}

/** The requests of one verb: their types, in order, and the names in them. */
function matchNetwork(step: JsonStep, calls: Call[]): void {
  const verb = step.call.args[0] as Verb;
  if (verb.side === "container" && calls[0]?.name === "setns") {
    expect(calls.splice(0, 2).map((call) => [call.name, call.args[1]])).toEqual([
      ["setns", "CLONE_NEWNET"],
      ["setns", "CLONE_NEWNET"],
    ]);
  }
  const expected = [...VERBS[verb.verb]!, ...(verb.alias ? ["RTM_NEWLINK"] : [])];
  const call = calls.shift()!;
  expect(changes(call)).toEqual(expected);
  if (verb.peer) expect([verb.peer.name, verb.alias!].filter((name) => !mentions(call, name))).toEqual([]);
}

export function matchParent(steps: readonly JsonStep[], calls: Call[], bindings: Bindings): void {
  for (const step of steps) {
    const { name } = step.call;
    if (name === "rtnetlink") {
      matchNetwork(step, calls);
      continue;
    }
    const call = calls.shift();
    if (!call) throw new Error(`planned ${step.text}, made nothing more`);
    if (name === "start") expect(call.args).toEqual(["child_stack=NULL", "flags=CLONE_VM|CLONE_VFORK|SIGCHLD"]);
    else matchStep(name === "go" ? { ...step, call: { name: "sendto", args: [] } } : step, call, bindings);
  }
}
