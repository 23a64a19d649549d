/** Classic BPF as seccomp(2) takes it: linux/filter.h, linux/bpf_common.h, linux/seccomp.h. */
import type { Arch } from "../ffi/abi.ts";

/** struct sock_filter. `jt` and `jf` skip that many instructions; `ja` skips `k`. */
export interface Instruction {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

export const CODE = {
  ld: 0x20, // BPF_LD|BPF_W|BPF_ABS: a word of struct seccomp_data
  and: 0x54, // BPF_ALU|BPF_AND|BPF_K
  ja: 0x05,
  jeq: 0x15, // BPF_JMP|…|BPF_K
  jgt: 0x25,
  jge: 0x35,
  ret: 0x06,
} as const;

export const instruction = (code: keyof typeof CODE, k: number, jt = 0, jf = 0): Instruction => ({ code: CODE[code], jt, jf, k });

/** linux/seccomp.h: what a filter returns. The low 16 bits are data: the errno, the message for a tracer. */
export const RET = {
  KILL_PROCESS: 0x80000000,
  KILL_THREAD: 0,
  TRAP: 0x00030000,
  ERRNO: 0x00050000,
  TRACE: 0x7ff00000,
  LOG: 0x7ffc0000,
  ALLOW: 0x7fff0000,
} as const;

/** linux/bpf_common.h: the longest program that the kernel takes. */
export const MAX_INSTRUCTIONS = 4096;

/** Offsets into struct seccomp_data {int nr; __u32 arch; __u64 instruction_pointer; __u64 args[6]}, little endian. */
export const DATA = { nr: 0, arch: 4, low: (arg: number) => 16 + 8 * arg, high: (arg: number) => 20 + 8 * arg } as const;

/** linux/audit.h: AUDIT_ARCH_X86_64, AUDIT_ARCH_AARCH64. */
export const AUDIT_ARCH: Readonly<Record<Arch, number>> = { x64: 0xc000003e, arm64: 0xc00000b7 };

/** asm/unistd.h: calls of the x32 ABI carry this bit, under x86_64's own AUDIT_ARCH. */
export const X32_BIT = 0x40000000;

/** As the kernel wants it: 8 bytes an instruction. */
export function toBytes(program: readonly Instruction[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(new ArrayBuffer(program.length * 8));
  const view = new DataView(bytes.buffer);
  for (const [i, { code, jt, jf, k }] of program.entries()) {
    view.setUint16(i * 8, code, true);
    view.setUint8(i * 8 + 2, jt);
    view.setUint8(i * 8 + 3, jf);
    view.setUint32(i * 8 + 4, k, true);
  }
  return bytes;
}

export function fromBytes(bytes: Uint8Array): Instruction[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length / 8 }, (_, i) => ({
    code: view.getUint16(i * 8, true),
    jt: view.getUint8(i * 8 + 2),
    jf: view.getUint8(i * 8 + 3),
    k: view.getUint32(i * 8 + 4, true),
  }));
}
