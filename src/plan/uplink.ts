/**
 * --net pasta: a program of the host moves packets between a tap device in the container's network namespace and sockets
 * of its own. `pasta --netns /proc/PID/ns/net …`, started by the stage and ended by it.
 *
 * It is the stage's child because the stage outlives both nsrun and the container, whatever kills them, and ends its
 * children before it leaves; and because the stage has one thread, so that PR_SET_PDEATHSIG follows a process. pasta keeps
 * that signal: it changes its capabilities, but not its user. Nobody waits in the event loop: the container goes on with
 * its mounts meanwhile and reads the program's ready byte itself, right before it enters its root.
 */
import { AT_FDCWD, O, PR } from "../ffi/flags.ts";
import { messageText, step } from "./list.ts";
import type { ContainerSpec, UplinkSpec } from "./spec.ts";
import { ownPidfd } from "./stage.ts";
import { type Arg, REG, type RelayStep, type Step, type SyscallStep, slot, strings, type Words } from "./step.ts";

interface UplinkPlan {
  readonly prepare: SyscallStep[];
  readonly child: SyscallStep[];
  readonly between: Step[];
  /** By the stage, when the container and the program are dead. */
  readonly removal: SyscallStep[];
}

const AF_UNIX = 1;
const SOCK_STREAM_CLOEXEC = 1 | 0x80000;
const MSG_WAITALL = 0x100;
const MSG_NOSIGNAL = 0x4000;
const EBADF = 9;
const ENOENT = 2;

/** As long as MSG_WAITALL is great: an exact step compares its result with its third argument, recvmsg's flags. */
const BODY = MSG_WAITALL;

const pair = (first: string, second: string) => ({ bytes: new Uint8Array(8), text: `[<${first}>, <${second}>]` });

/** pipe2(2) and socketpair(2) of the parent; both ends close-on-exec. */
const pipe = (label: string, read: string, write: string): SyscallStep =>
  step("parent", label, "pipe2", [pair(read, write), O.O_CLOEXEC], { store: [read, write] });

/** struct msghdr of sendmsg(2) with one message of BODY bytes and `control` beside it. */
const message = (control: Words["words"][number], text: string): Words => ({
  words: [0, 0, { words: [{ bytes: new Uint8Array(BODY), text: "" }, BODY], text: "" }, 1, control, 24, 0],
  text,
});

/** struct cmsghdr {20, SOL_SOCKET, SCM_RIGHTS}, then one descriptor (cmsg(3)). */
const rights = (name: string): Words => ({ words: [20, 0x1_0000_0001, slot(name)], text: "" });

/** From the clone to the program. Descriptor 0 comes over the socket, 1 says that it is ready, 2 is kept for our error. */
function programSteps(net: UplinkSpec, says: string): SyscallStep[] {
  const received = message({ bytes: new Uint8Array(24), text: "" }, messageText("<bytes>", BODY, "[0]"));
  const mask: Arg = { bytes: new Uint8Array(8), text: "[]" };
  const directories = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  return [
    step("uplink", "die with the stage", "prctl", [PR.PR_SET_PDEATHSIG, 9]),
    step("uplink", "make sure that the stage lives", "guard", [REG]),
    step("uplink", "files for the caller alone", "umask", [0o077]),
    step("uplink", "descriptor 1 says when it is ready", "dup3", [slot(says), 1, 0]),
    step("uplink", "descriptor 2 keeps what it complains about", "dup3", [slot("uplink.said"), 2, 0]),
    step("uplink", "make descriptor 0 the lowest free one", "close", [0], { tolerate: EBADF }),
    step(
      "uplink",
      "receive the container's namespaces as descriptor 0",
      "recvmsg",
      [slot("uplink.theirs"), received, MSG_WAITALL],
      {
        exact: true,
        why: "they are not there before the container is, nor mapped before the parent has mapped them",
      },
    ),
    step("uplink", "unblock all signals", "rt_sigprocmask", [2 /* SIG_SETMASK */, mask, 0, 8]),
    step("uplink", "close all descriptors below the socket", "close_range", [3, slot("sock-1"), 0]),
    step("uplink", "close all descriptors above the socket", "close_range", [slot("sock+1"), -1, 0]),
    step("uplink", "close the socket at exec", "fcntl", [slot("sock"), 2 /* F_SETFD */, 1 /* FD_CLOEXEC */]),
    step("uplink", `execute ${net.program}`, "execve", [net.program, strings(net.args), strings([directories])], { exact: true }),
  ];
}

/** The parent's part once the container has a pid: the namespaces go over, and the program begins. */
function handOver(net: UplinkSpec): SyscallStep[] {
  const [path, flags, what] =
    net.hands === "net"
      ? ["/ns/net", O.O_RDONLY, "network namespace"]
      : ["", O.O_PATH | O.O_DIRECTORY, "directory of namespaces"];
  const file = { template: ["/proc/", slot("pid"), path] };
  return [
    step("parent", `open the container's ${what}`, "openat", [AT_FDCWD, file, flags | O.O_CLOEXEC, 0], { store: "uplink.ns" }),
    step("parent", "let the uplink begin", "sendmsg", [
      slot("uplink.ours"),
      message(rights("uplink.ns"), messageText("<bytes>", BODY, "[<uplink.ns>]")),
      MSG_NOSIGNAL,
    ]),
  ];
}

function relay(control: NonNullable<UplinkSpec["control"]>): RelayStep {
  return {
    lane: "parent",
    label: "publish the ports when the uplink is ready, then let the container go on",
    relay: { heard: "uplink.heard", wake: "uplink.wake", socket: control.path, requests: control.requests },
    why: "slirp4netns takes ports over a socket only",
  };
}

export function uplinkSteps(spec: ContainerSpec): UplinkPlan {
  const { net } = spec;
  if (net.mode !== "pasta") return { prepare: [], child: [], between: [], removal: [] };
  const { control } = net;
  const says = control ? "uplink.told" : "uplink.wake";
  const theirs = pair("uplink.ours", "uplink.theirs");
  return {
    prepare: [
      pipe("a pipe on which the container hears that the uplink is ready", "uplink.ready", "uplink.wake"),
      ...(control ? [pipe("a pipe on which we hear it first", "uplink.heard", "uplink.told")] : []),
      step("parent", "a socket to pass the namespaces over", "socketpair", [AF_UNIX, SOCK_STREAM_CLOEXEC, 0, theirs], {
        store: ["uplink.ours", "uplink.theirs"],
      }),
    ],
    child: [
      ...ownPidfd(),
      step("stage", "clone the uplink's process", "clone", [17, 0, 0, 0, 0], {
        jump: "uplinked",
        why: "a child of the stage, which ends it after the container, whoever was killed",
      }),
      ...programSteps(net, says),
      step("stage", "leave the ready pipe to the uplink", "close", [slot(says)], {
        mark: "uplinked",
        why: "its end without a ready byte must be seen as the pipe's end",
      }),
    ],
    between: [
      ...handOver(net),
      step("parent", "leave the ready pipe to the uplink", "close", [slot(says)]),
      ...(control ? [relay(control), step("parent", "leave the other pipe to the relay", "close", [slot("uplink.wake")])] : []),
    ],
    removal: control
      ? [step("stage", `remove ${control.path}`, "unlinkat", [AT_FDCWD, control.path, 0], { tolerate: ENOENT })]
      : [],
  };
}

/** The container's side: the command must not begin before its network is there. */
export function uplinkReady(spec: ContainerSpec): SyscallStep[] {
  if (spec.net.mode !== "pasta") return [];
  const ready = { bytes: new Uint8Array(8), text: "<ready>" };
  return [step("container", "wait until the uplink is ready", "read", [slot("uplink.ready"), ready, 1], { exact: true })];
}
