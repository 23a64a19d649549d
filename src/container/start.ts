/** A plan becomes processes: prepare, encode, start the sealed ELF, then what the parent does until "go". */

import { elfImage } from "../ffi/image.ts";
import { native, PLAN_ADDRESS, PLAN_OFFSET } from "../ffi/native.ts";
import { assemble, link, type Program, type RawStep, RECORD_AT, SOCKET_SLOT } from "../ffi/program.ts";
import { failed, sys } from "../ffi/syscall.ts";
import { sealedFile, vexec } from "../ffi/vexec.ts";
import type { Plan } from "../plan/step.ts";
import { socketPair } from "./channel.ts";
import { runParent, type Slots } from "./slots.ts";

/** Names that stand for the socket's number or an address rather than for a descriptor of the plan. */
function special(name: string, socket: number): number | undefined {
  if (name === SOCKET_SLOT) return socket;
  if (name === "sock-1") return socket - 1;
  if (name === "sock+1") return socket + 1;
  if (name === "sock+2") return socket + 2;
  if (name === "rec") return PLAN_ADDRESS + RECORD_AT;
  if (name === "rec.a") return PLAN_ADDRESS + RECORD_AT + 4;
  return undefined;
}

/** The child's list as the encoder takes it: no templates, and a stored result is the register's. */
function childSteps(plan: Plan): readonly RawStep[] {
  for (const step of plan.child) {
    if (step.store !== undefined && step.store !== true) throw new TypeError(`${step.label}: a child has no slots to store into`);
  }
  return plan.child as readonly RawStep[];
}

export interface StartedStage {
  /** The stage's pid: our child, to be reaped. */
  readonly stage: number;
  /** Our end of the socket. */
  readonly socket: number;
}

/** Runs the parent's preparation with the umask that modes are meant literally under. */
export function prepare(plan: Plan, slots: Slots): void {
  const umask = sys("umask", 0);
  try {
    runParent(plan, plan.prepare, slots);
  } finally {
    sys("umask", umask);
  }
}

interface Image {
  /** The whole ELF, linked anew for each start. */
  readonly file: Uint8Array<ArrayBuffer>;
  readonly program: Program;
}

/** What was made of a plan's child: a plan that is started again (see recipe.ts) is only linked again. */
const images = new WeakMap<Plan, Image>();

function imageOf(plan: Plan): Image {
  let image = images.get(plan);
  if (!image) {
    const program = assemble(childSteps(plan), PLAN_ADDRESS);
    image = { file: elfImage(native().code, program.data), program };
    images.set(plan, image);
  }
  return image;
}

/**
 * The descriptors that survive the exec: those that the child's steps name, and the standard streams. Where the caller had
 * closed one of these, Bun has put /dev/null, close-on-exec: the command gets that, not a hole.
 */
function inherited({ holes }: Program, slots: Slots, socket: number): number[] {
  const numbers = [0, 1, 2, socket];
  for (const { slot } of holes) if (special(slot, socket) === undefined) numbers.push(slots.get(slot));
  return numbers; // two slots may hold one descriptor: clearing close-on-exec twice is no harm
}

/** Encodes the child's steps and starts them. Blocks the JS thread until the exec is done (about 0.1 ms). */
export function startStage(plan: Plan, slots: Slots, title: string): StartedStage {
  const { ours, theirs } = socketPair();
  let file = -1;
  try {
    const image = imageOf(plan);
    link(image.file, PLAN_OFFSET, image.program, (name) => special(name, theirs) ?? slots.get(name));
    file = sealedFile("nsrun", image.file);
    const stage = vexec(file, ["nsrun-init", title], inherited(image.program, slots, theirs));
    return { stage, socket: ours };
  } catch (error) {
    sys("close", ours);
    throw error;
  } finally {
    sys("close", theirs);
    if (file >= 0) sys("close", file);
  }
}

/** What the parent does for the container that now exists as `pid`, and then lets it go on. */
export function release(plan: Plan, slots: Slots, socket: number, pid: number): void {
  slots.set("pid", pid);
  runParent(plan, plan.between, slots);
  const said = go(socket);
  if (said < 0 && said !== EPIPE) throw failed(said, "let the container go on"); // it would wait for ever
}

const GO = new Uint8Array(new ArrayBuffer(1)).fill(103);

/** The container may be gone already, which its records tell. */
const EPIPE = -32;
/** MSG_NOSIGNAL. */
export const go = (socket: number): number => sys("sendto", socket, GO, 1, 0x4000, 0, 0);

/** Reaps our own child `pid`. */
export const reap = (pid: number): number => sys("wait4", pid, null, 0, 0);
