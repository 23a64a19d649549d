/** `bun provoke.ts CALL ARG…`: makes one system call (numbers, or strings) and prints the error as `--errors=json` does. */
import { report } from "../../src/cmd/report.ts";
import { must, type SyscallName } from "../../src/ffi/index.ts";

const [call, ...args] = Bun.argv.slice(2);
try {
  must(`${call} ${args.join(" ")}`, call as SyscallName, ...args.map((arg) => (/^-?\d+$/.test(arg) ? Number(arg) : arg)));
} catch (error) {
  console.error((await report(error, true)).join("\n"));
}
