/**
 * Writes src/ffi/unistd.ts from the kernel's own headers: `bun scripts/syscall-tables.ts` (Debian: linux-libc-dev, gcc).
 * Both architectures come from one package: asm/unistd_64.h is x86_64's, asm-generic/unistd.h is aarch64's.
 */
import { $ } from "bun";

const X64 = "/usr/include/x86_64-linux-gnu/asm/unistd_64.h";
/** What arch/arm64/include/uapi/asm/unistd.h defines before it includes asm-generic/unistd.h. */
const ARM64 = "RENAMEAT NEW_STAT SET_GET_RLIMIT TIME32_SYSCALLS SYS_CLONE3 MEMFD_SECRET".split(" ");

/** Younger than the headers: include/uapi/asm-generic/unistd.h of Linux 6.18. The same numbers everywhere. */
const YOUNGER = `451 cachestat fchmodat2 map_shadow_stack futex_wake futex_wait futex_requeue statmount listmount
  lsm_get_self_attr lsm_set_self_attr lsm_list_modules mseal setxattrat getxattrat listxattrat removexattrat
  open_tree_attr file_getattr file_setattr`;
/** arch/x86/entry/syscalls/syscall_64.tbl of Linux 6.18. */
const YOUNGER_X64 = "335 uretprobe uprobe";

function add(table: Map<number, string>, text: string): void {
  const [first = "", ...names] = text.split(/\s+/);
  for (const [i, name] of names.entries()) if (!table.has(Number(first) + i)) table.set(Number(first) + i, name);
}

/** `#define __NR_read 0`, and `#define __NR_lseek __NR3264_lseek` with the number at that name. */
function parse(text: string): Map<number, string> {
  const defined = new Map([...text.matchAll(/^#define (__NR\w+) (\w+)$/gm)].map((m) => [m[1]!, m[2]!]));
  const table = new Map<number, string>();
  for (const [name, value] of defined) {
    const number = Number(defined.get(value) ?? value);
    if (name.startsWith("__NR_") && Number.isInteger(number)) table.set(number, name.slice(5));
  }
  for (const [number, name] of table) if (/^(syscalls|arch_specific_syscall)$/.test(name)) table.delete(number);
  return table;
}

/** Runs of consecutive numbers: the first one, then the names. */
function runs(table: ReadonlyMap<number, string>): string {
  const lines: string[] = [];
  let line = "";
  let last = Number.NaN;
  for (const number of [...table.keys()].sort((a, b) => a - b)) {
    const name = table.get(number)!;
    if (number === last + 1 && line.length + name.length < 110) line += ` ${name}`;
    else {
      if (line !== "") lines.push(line);
      line = `${number} ${name}`;
    }
    last = number;
  }
  return [...lines, line].join("\n  ");
}

const defines = ARM64.map((name) => `-D__ARCH_WANT_${name}`);
const x64 = parse(await Bun.file(X64).text());
const arm64 = parse(await $`echo '#include <asm-generic/unistd.h>' | gcc -E -dM ${defines} -`.text());
arm64.delete(244); // arch_specific_syscall
for (const table of [x64, arm64]) add(table, YOUNGER);
add(x64, YOUNGER_X64);
const shown = await $`dpkg-query --show linux-libc-dev`.text(); // name, tabulator, version-revision
const version = shown.trim().split("\t")[1]?.replace(/-.*/, "");
await Bun.write(
  "src/ffi/unistd.ts",
  `/**
 * All system calls by name. Written by scripts/syscall-tables.ts from linux-libc-dev ${version} (asm/unistd_64.h,
 * asm-generic/unistd.h), and from the same headers of Linux 6.18 for what is younger. A line: a number, then the names from it on.
 */
import type { Arch } from "./abi.ts";

const TABLE: Readonly<Record<Arch, string>> = {
  x64: \`${runs(x64)}\`,
  arm64: \`${runs(arm64)}\`,
};

/** Name → number on \`arch\`. */
export function unistd(arch: Arch): Map<string, number> {
  const table = new Map<string, number>();
  for (const line of TABLE[arch].split("\\n")) {
    const [first, ...names] = line.trim().split(" ");
    for (const [i, name] of names.entries()) table.set(name, Number(first) + i);
  }
  return table;
}
`,
);
