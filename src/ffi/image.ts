/** The trampoline's machine code and a plan as a small static ELF (elf(5)): the program that every container starts from. */
import { ARCH, ELF_MACHINE } from "./abi.ts";
import { PLAN_ADDRESS, PLAN_OFFSET } from "./native.ts";

const EHDR = 64;
const PHDR = 56;
const TEXT_ADDRESS = 0x400000;
const PAGE = 65536; // the largest page of either architecture: one file serves 4, 16 and 64 kB kernels
const ET_EXEC = 2;
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
  const image = new Uint8Array(new ArrayBuffer((PLAN_OFFSET + plan.length + 7) & ~7));
  const words = new Int32Array(image.buffer); // 32 bits each: no address here needs more, and what is above them is 0
  image.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]); // ELFCLASS64, little endian, EV_CURRENT
  words[4] = (ELF_MACHINE[ARCH] << 16) | ET_EXEC;
  words[5] = 1;
  words[6] = TEXT_ADDRESS + start; // e_entry
  words[8] = EHDR; // e_phoff
  words[13] = (PHDR << 16) | EHDR; // e_ehsize, e_phentsize
  words[14] = 3; // e_phnum
  const segment = (index: number, type: number, flags: number, offset: number, address: number, size: number) => {
    const at = (EHDR + index * PHDR) >> 2;
    words[at] = type;
    words[at + 1] = flags;
    words[at + 2] = offset;
    words[at + 4] = address;
    words[at + 6] = address;
    words[at + 8] = size;
    words[at + 10] = size;
    words[at + 12] = PAGE;
  };
  segment(0, PT_LOAD, R | X, 0, TEXT_ADDRESS, start + code.length);
  segment(1, PT_LOAD, R | W, PLAN_OFFSET, PLAN_ADDRESS, plan.length);
  segment(2, PT_GNU_STACK, R | W, 0, 0, 0);
  image.set(code, start);
  image.set(plan, PLAN_OFFSET);
  return image;
}
