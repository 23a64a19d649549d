/** Compiles the trampoline when nsrun starts and binds its two functions. Nothing else in nsrun compiles or loads code. */
import { cc, dlopen, FFIType, linkSymbols, type Pointer, ptr, toArrayBuffer } from "bun:ffi";
import { NsrunError } from "../errors.ts";
import { ARCH, type SyscallName, syscallNumber } from "./abi.ts";
import checks from "./checks.c" with { type: "text" };
import end from "./end.c" with { type: "text" };
import { type MachineCode, machineCode } from "./machine-code.ts";
import trampoline from "./trampoline.c" with { type: "text" };
import watch from "./watch.c" with { type: "text" };

/** Where the plan lies in the ELF: file offset PLAN_OFFSET, address PLAN_ADDRESS (congruent modulo 64 kB pages). */
export const PLAN_OFFSET = 16384; // the trampoline has 10.5 kB on x86_64, a tenth more on aarch64
export const PLAN_ADDRESS = 0x10000000 + PLAN_OFFSET;

const USED: SyscallName[] = [
  "exit_group",
  "exit",
  "sendto",
  "rt_sigaction",
  "munmap",
  "rt_sigtimedwait",
  "kill",
  "wait4",
  "pidfd_open",
  "pidfd_send_signal",
  "ppoll",
  "clock_gettime",
  "openat",
  "read",
  "close",
  "write",
  "ioctl",
  "recvmsg",
  "getcwd",
  "openat2",
  "prctl",
  "statx",
  "fstatfs",
  "pread64",
  "fcntl",
];

interface Native {
  sys(n: number, a: number, b: number, c: number, d: number, e: number, f: number): number;
  vexec(flags: number, job: number): number;
  /** The position-independent machine code, for image.ts. */
  code: Uint8Array;
  /** Where the two begin in it. */
  offsets: { sys: number; vexec: number };
  owner: unknown;
}

/**
 * A C source without a file: cc opens it through /proc, so a read-only root without /tmp will do. `BUN_TMPDIR` is pointed
 * at a place where nothing can be written, or cc would first write eleven headers there that we do not include (5 ms).
 */
function compile() {
  const libc = dlopen("libc.so.6", {
    setenv: { args: ["ptr", "ptr", "i32"], returns: "i32" },
    unsetenv: { args: ["ptr"], returns: "i32" },
    memfd_create: { args: ["ptr", "u32"], returns: "i32" },
    write: { args: ["i32", "ptr", "u64"], returns: "i64" },
    close: { args: ["i32"], returns: "i32" },
  }).symbols;
  const name = Buffer.from("BUN_TMPDIR\0");
  const fd = libc.memfd_create(Buffer.from("nsrun-trampoline.c\0"), 1);
  if (fd < 0) throw new NsrunError("cannot create a memfd for the trampoline's source");
  try {
    const text = Buffer.from(trampoline + checks + watch + end);
    if (Number(libc.write(fd, text, text.length)) !== text.length)
      throw new NsrunError("cannot write the trampoline's source to memory");
    libc.setenv(name, Buffer.from("/proc\0"), 1);
    const define: Record<string, string> = { PLAN_ADDR: String(PLAN_ADDRESS) };
    for (const call of USED) define[`SYS_${call}`] = String(syscallNumber(call, ARCH));
    return cc({
      source: `/proc/self/fd/${fd}`,
      flags: "-nostdlib",
      define,
      symbols: { nsi_table: { args: ["ptr"], returns: "void" } },
    });
  } finally {
    libc.close(fd);
    if (process.env.BUN_TMPDIR === undefined) libc.unsetenv(name);
    else libc.setenv(name, Buffer.from(`${process.env.BUN_TMPDIR}\0`), 1);
  }
}

/** Offsets into the code, and the code itself: as cc has made it just now, or as the build has stored it. */
interface Code {
  readonly code: Uint8Array;
  readonly base: number;
  readonly sys: number;
  readonly vexec: number;
  /** What owns the executable memory and must stay reachable. */
  readonly owner: unknown;
}

function fromCompiler(): Code {
  const library = compile();
  const table = new BigInt64Array(new ArrayBuffer(32));
  library.symbols.nsi_table(ptr(table));
  const [sys, vexec, begin, end] = Array.from(table, Number) as [number, number, number, number];
  const code = new Uint8Array(toArrayBuffer(begin as Pointer, 0, end - begin)).slice();
  return { code, base: begin, sys: sys - begin, vexec: vexec - begin, owner: library };
}

const PROT_READ_WRITE = 3;
const PROT_READ_EXEC = 5;
const MAP_PRIVATE_ANONYMOUS = 0x22;

/** The same bytes, compiled when the executable was built, in memory that is never writable and executable at once. */
function fromBuild(stored: MachineCode): Code {
  const libc = dlopen("libc.so.6", {
    mmap: { args: ["u64", "u64", "i32", "i32", "i32", "i64"], returns: "ptr" },
    mprotect: { args: ["ptr", "u64", "i32"], returns: "i32" },
  }).symbols;
  const code = Uint8Array.fromBase64(stored.code);
  const base = libc.mmap(0, code.length, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0);
  if (base === null || Number(base) === -1) throw new NsrunError("cannot map memory for the trampoline");
  const memory = new Uint8Array(toArrayBuffer(base, 0, code.length));
  memory.set(code);
  if (libc.mprotect(base, code.length, PROT_READ_EXEC) !== 0) {
    throw new NsrunError("cannot make the trampoline executable", {
      hint: "a security policy forbids new executable memory (SELinux: execmem)",
    });
  }
  return { code, base: Number(base), sys: stored.sys, vexec: stored.vexec, owner: memory };
}

function load(): Native {
  const { code, base, sys, vexec, owner } = machineCode ? fromBuild(machineCode) : fromCompiler();
  const bound = linkSymbols({
    sys: {
      ptr: (base + sys) as Pointer,
      args: ["i64", "i64", "i64", "i64", "i64", "i64", "i64"],
      returns: FFIType.i64_fast,
    },
    vexec: { ptr: (base + vexec) as Pointer, args: ["i64", "i64"], returns: FFIType.i64_fast },
  } as const).symbols;
  return { ...(bound as unknown as Pick<Native, "sys" | "vexec">), code, offsets: { sys, vexec }, owner };
}

let loaded: Native | undefined;

/** The trampoline, at the first use: compiled (about 3 ms) or, in the executable, taken as the build compiled it (0.5 ms). */
export function native(): Native {
  loaded ??= load();
  return loaded;
}
