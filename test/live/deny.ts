/**
 * `bun deny.ts CALL ERRNO [ARG=VALUE|ARG&MASK] -- COMMAND…`: COMMAND with a seccomp filter under which CALL fails with ERRNO, when its
 * argument number ARG (low 32 bits) equals VALUE or has one bit of MASK: what an outer container or a policy does.
 */
import { bytes, errno, type SyscallName, sys, syscallNumber } from "../../src/ffi/index.ts";
import { addressOf } from "../../src/ffi/syscall.ts";

const [call, code, ...rest] = Bun.argv.slice(2);
const command = rest.slice(rest.indexOf("--") + 1);
const condition = /^(\d)([=&])(\w+)$/.exec(rest[0] ?? "");

const LOAD = 0x20;
const EQUAL = 0x15;
const ANY_BIT = 0x45;
const RETURN = 0x06;
type Row = readonly [code: number, yes: number, no: number, k: number];

const test: Row[] = condition
  ? [
      [LOAD, 0, 0, 16 + 8 * Number(condition[1])],
      [condition[2] === "=" ? EQUAL : ANY_BIT, 0, 1, Number(condition[3])],
    ]
  : [];
const rows: Row[] = [
  [LOAD, 0, 0, 0],
  [EQUAL, 0, test.length + 1, syscallNumber(call as SyscallName)],
  ...test,
  [RETURN, 0, 0, 0x00050000 | errno(code!)],
  [RETURN, 0, 0, 0x7fff0000],
];
const program = bytes(rows.length * 8);
const view = new DataView(program.buffer);
for (const [i, [op, yes, no, k]] of rows.entries()) {
  view.setUint16(i * 8, op, true);
  view.setUint8(i * 8 + 2, yes);
  view.setUint8(i * 8 + 3, no);
  view.setUint32(i * 8 + 4, k, true);
}
const header = bytes(16);
new BigUint64Array(header.buffer).set([BigInt(rows.length), BigInt(addressOf(program))]);

/** A null-terminated array of strings, and what keeps them. */
function pointers(list: readonly string[]) {
  const keep = list.map((text) => {
    const memory = bytes(Buffer.byteLength(text) + 1);
    memory.set(Buffer.from(text));
    return memory;
  });
  const array = bytes(8 * (list.length + 1));
  new BigUint64Array(array.buffer).set(keep.map((memory) => BigInt(addressOf(memory))));
  return { array, keep };
}

const args = pointers(command);
const env = pointers(Object.entries(process.env).map(([name, value]) => `${name}=${value}`));
const path = Bun.which(command[0]!) ?? command[0]!;
const must = (result: number, what: string) => {
  if (result < 0) throw new Error(`${what}: ${result}`);
};
must(sys("prctl", 38 /* PR_SET_NO_NEW_PRIVS */, 1, 0, 0, 0), "no_new_privs");
must(sys("seccomp", 1 /* SECCOMP_SET_MODE_FILTER */, 0, header), "seccomp");
must(sys("execve", path, args.array, env.array), "execve");
void [args.keep, env.keep];
