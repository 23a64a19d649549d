/** The trampoline's machine code and a plan as a small static ELF (elf(5)): the program that every container starts from. */
import { ARCH, ELF_MACHINE } from "./abi.ts";
import { PLAN_ADDRESS, PLAN_OFFSET } from "./native.ts";

const EHDR = 64;
const PHDR = 56;
const TEXT_ADDRESS = 0x400000;
const PAGE = 65536; // the largest page of either architecture: one file serves 4, 16 and 64 kB kernels
const PT_LOAD = 1;
const PT_GNU_STACK = 0x6474e551;
const [X, W, R] = [1, 2, 4];

/**
 * `code` at 0x400000 (read, execute), `plan` at PLAN_ADDRESS (read, write), a stack that is not executable.
 * The addresses are fixed, so the plan's pointers are absolute and nothing is relocated.
 */
export function elfImage(code: Uint8Array, plan: Uint8Array): Uint8Array<ArrayBuffer> {
  const start = EHDR + 3 * PHDR;
  if (start + code.length > PLAN_OFFSET) throw new RangeError("the trampoline has outgrown its pages");
  const image = new Uint8Array(new ArrayBuffer(PLAN_OFFSET + plan.length));
  const view = new DataView(image.buffer);
  image.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]); // ELFCLASS64, little endian, EV_CURRENT
  view.setUint16(16, 2, true); // ET_EXEC
  view.setUint16(18, ELF_MACHINE[ARCH], true);
  view.setUint32(20, 1, true);
  view.setBigUint64(24, BigInt(TEXT_ADDRESS + start), true); // e_entry
  view.setBigUint64(32, BigInt(EHDR), true); // e_phoff
  view.setUint16(52, EHDR, true);
  view.setUint16(54, PHDR, true);
  view.setUint16(56, 3, true);
  const segment = (index: number, type: number, flags: number, offset: number, address: number, size: number) => {
    const at = EHDR + index * PHDR;
    view.setUint32(at, type, true);
    view.setUint32(at + 4, flags, true);
    for (const [word, value] of [offset, address, address, size, size, PAGE].entries()) {
      view.setBigUint64(at + 8 + word * 8, BigInt(value), true);
    }
  };
  segment(0, PT_LOAD, R | X, 0, TEXT_ADDRESS, start + code.length);
  segment(1, PT_LOAD, R | W, PLAN_OFFSET, PLAN_ADDRESS, plan.length);
  segment(2, PT_GNU_STACK, R | W, 0, 0, 0);
  image.set(code, start);
  image.set(plan, PLAN_OFFSET);
  return image;
}
