/** One raw system call from the JS thread, with strings and buffers as arguments. */
import { ptr } from "bun:ffi";
import { SyscallError } from "../errors.ts";
import { type SyscallName, syscallNumber } from "./abi.ts";
import { errnoName, errnoText } from "./errno.ts";
import { native } from "./native.ts";
import { writeText } from "./text.ts";

/**
 * An argument: a number, a C string (copied and terminated; NUL inside is refused), a buffer passed by address, or null.
 * Make buffers with {@link bytes}: small typed arrays made by length may move (oven-sh/bun#32054).
 */
export type SyscallArg = number | bigint | string | NodeJS.TypedArray | null;

/** A buffer whose address stays: its memory is a real ArrayBuffer from the start. */
export const bytes = (length: number): Uint8Array<ArrayBuffer> => new Uint8Array(new ArrayBuffer(length));

/** The address of a buffer made with {@link bytes}; 0 for an empty one. The caller keeps the buffer reachable. */
export const addressOf = (view: NodeJS.TypedArray): number => (view.byteLength === 0 ? 0 : Number(ptr(view)));

/** Where the strings of one call live: a place for each, made once, for a view of memory takes longer than most strings to encode. */
const PLACE = 12400; // 4096 characters of a path, three bytes each at most
const places: { readonly memory: Uint8Array<ArrayBuffer>; readonly address: number }[] = [];
let used = 0;

function stringArg(text: string): number {
  if (text.includes("\0")) throw new RangeError("a C string cannot hold NUL");
  const length = text.length * 3 + 1;
  let place = places[used];
  if (place === undefined || place.memory.length < length) {
    const memory = bytes(length > PLACE ? length : PLACE);
    place = { memory, address: Number(ptr(memory)) };
    places[used] = place;
  }
  used++;
  place.memory[writeText(place.memory, text)] = 0;
  return place.address;
}

function toNumber(arg: Exclude<SyscallArg, number>): number {
  if (typeof arg === "string") return stringArg(arg);
  if (arg === null) return 0;
  if (typeof arg === "bigint") return Number(arg);
  return addressOf(arg);
}

/** syscall(2) without libc: the result, or -errno. Never throws for a failed call. */
export function sys(
  name: SyscallName,
  a: SyscallArg = 0,
  b: SyscallArg = 0,
  c: SyscallArg = 0,
  d: SyscallArg = 0,
  e: SyscallArg = 0,
  f: SyscallArg = 0,
): number {
  used = 0;
  // numbers are told apart here: a function called six times for each call is hot enough to be compiled while we start (1 ms)
  return native().sys(
    syscallNumber(name),
    typeof a === "number" ? a : toNumber(a),
    typeof b === "number" ? b : toNumber(b),
    typeof c === "number" ? c : toNumber(c),
    typeof d === "number" ? d : toNumber(d),
    typeof e === "number" ? e : toNumber(e),
    typeof f === "number" ? f : toNumber(f),
  );
}

/** A mount or rename anywhere on the machine makes openat2(2) say EAGAIN when a scoped path has `..` in it; trampoline.c has the same number. */
const OPENAT2_TRIES = 1024;

/** openat2(2), tried again after EAGAIN as its man page asks: a descriptor or -errno. O_* flags, RESOLVE_* of linux/openat2.h. */
export function openat2(dirFd: number, path: string, flags: number, resolve: number): number {
  const how = new BigUint64Array(new ArrayBuffer(24)); // struct open_how: flags, mode, resolve
  how[0] = BigInt(flags);
  how[2] = BigInt(resolve);
  for (let left = OPENAT2_TRIES; ; left--) {
    const fd = sys("openat2", dirFd, path, how, 24);
    if (fd !== -11 || left === 0) return fd;
  }
}

/** The error for a negative result of {@link sys}. `doing` says what was being done, to what. */
export function failed(result: number, doing: string, hint?: string): SyscallError {
  return new SyscallError(doing, -result, errnoName(-result), errnoText(-result), { hint });
}

/** As {@link sys}, but a failure throws a SyscallError `doing: EPERM (operation not permitted)`. */
export function must(doing: string, name: SyscallName, ...args: SyscallArg[]): number {
  const result = sys(name, ...args);
  if (result >= 0) return result;
  const call = { call: name, args, label: doing };
  throw new SyscallError(doing, -result, errnoName(-result), errnoText(-result), { failed: call });
}
