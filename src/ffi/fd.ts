/** Owned descriptors: closed once, at the end of a `using` block or by hand. */
import type { SyscallName } from "./abi.ts";
import { must, type SyscallArg, sys } from "./syscall.ts";

/** A descriptor with one owner. `using fd = Fd.open(…)`. */
export class Fd implements Disposable {
  #number: number;
  constructor(number: number) {
    this.#number = number;
  }
  /** From a call that returns a descriptor; throws SyscallError. `Fd.from("open /x", "openat", AT_FDCWD, "/x", O_RDONLY, 0)` */
  static from(doing: string, name: SyscallName, ...args: SyscallArg[]): Fd {
    return new Fd(must(doing, name, ...args));
  }
  /** The number; throws when it was closed or released. */
  get number(): number {
    if (this.#number < 0) throw new Error("descriptor already closed");
    return this.#number;
  }
  get open(): boolean {
    return this.#number >= 0;
  }
  /** Gives up ownership and returns the number. */
  release(): number {
    const number = this.number;
    this.#number = -1;
    return number;
  }
  close(): void {
    if (this.#number < 0) return;
    const number = this.#number;
    this.#number = -1;
    sys("close", number);
  }
  [Symbol.dispose](): void {
    this.close();
  }
}
