/** nsrun/ffi: the kernel's calls as functions, for scripts that want the calls themselves. */
export { NsrunError, SyscallError } from "../errors.ts";
export { ARCH, type SyscallName, syscallName, syscallNumber } from "./abi.ts";
export { argv, ask, type ChildCall, clone, cloneHere, keep, mapRoot, type Observed, observe, RESULT } from "./clone.ts";
export { errno, errnoName, errnoText } from "./errno.ts";
export { Fd } from "./fd.ts";
export * from "./flags.ts";
export * from "./libc.ts";
export type { RawArg, RawStep } from "./program.ts";
export { bytes, must, type SyscallArg, sys } from "./syscall.ts";
