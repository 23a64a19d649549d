/** A filter in words: one line an instruction, as bpf_dbg and scmp_bpf_disasm print them, with the names of the calls. */
import type { Arch } from "../ffi/abi.ts";
import { errnoName } from "../ffi/errno.ts";
import { unistd } from "../ffi/unistd.ts";
import { AUDIT_ARCH, CODE, DATA, type Instruction, RET } from "./bpf.ts";

const hex = (value: number): string => `0x${value.toString(16)}`;

/** `ERRNO(38 ENOSYS)`, `KILL_PROCESS`. */
export function actionText(value: number): string {
  const action = (value & 0xffff0000) >>> 0;
  const data = value & 0xffff;
  const name = Object.entries(RET).find(([, number]) => number === action)?.[0] ?? hex(action);
  if (action === RET.ERRNO) return `${name}(${data} ${errnoName(data)})`;
  return data === 0 ? name : `${name}(${data})`;
}

/** What a word of struct seccomp_data is: `arg0`, `arg0.high`. */
function field(offset: number): string {
  if (offset === DATA.nr) return "nr";
  if (offset === DATA.arch) return "arch";
  const arg = Math.floor((offset - 16) / 8);
  return offset === DATA.high(arg) ? `arg${arg}.high` : `arg${arg}`;
}

const NAMES = new Map<number, string>(Object.entries(CODE).map(([name, code]) => [code, name]));

/** A comparison's right-hand side, where it is one of a number with a name. */
function note(k: number, loaded: string, calls: ReadonlyMap<number, string>, arch: Arch): string {
  if (loaded === "arch" && k === AUDIT_ARCH[arch]) return arch === "x64" ? "AUDIT_ARCH_X86_64" : "AUDIT_ARCH_AARCH64";
  return loaded === "nr" ? (calls.get(k) ?? "") : "";
}

/** `  12: jge 0x29 -> 13 else 40  ; socket` */
export function disassemble(program: readonly Instruction[], arch: Arch): string[] {
  const calls = new Map([...unistd(arch)].map(([name, number]) => [number, name]));
  let loaded = "";
  return program.map(({ code, jt, jf, k }, i) => {
    const name = NAMES.get(code) ?? hex(code);
    const at = `${String(i).padStart(4)}: ${name.padEnd(4)}`;
    if (name === "ret") {
      // what follows a leaf begins with the number in the accumulator, or with a load of its own
      loaded = "nr";
      return `${at}${actionText(k)}`;
    }
    if (name === "ld") {
      loaded = field(k);
      return `${at}${loaded}`;
    }
    if (name === "and") return `${at}${hex(k)}`;
    if (name === "ja") return `${at}-> ${i + 1 + k}`;
    const said = note(k, loaded, calls, arch);
    return `${at}${hex(k)} -> ${i + 1 + jt} else ${i + 1 + jf}${said === "" ? "" : `  ; ${said}`}`;
  });
}
