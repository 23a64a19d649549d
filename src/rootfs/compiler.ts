/** How hard JavaScriptCore is to work on the code that unpacks. */
import { noFTL } from "bun:jsc";
import { sys } from "../ffi/syscall.ts";
import { splitName } from "./names.ts";
import { TarReader } from "./tar.ts";
import { tarEntry } from "./tar-entry.ts";
import { checksumFits, parseHeader, tarNumber } from "./tar-header.ts";
import { Tree } from "./tree.ts";
import { Unpacker } from "./unpack.ts";
import { Files } from "./unpack-file.ts";
import { Metadata } from "./unpack-metadata.ts";

/**
 * The largest functions that run for each member. The last compiler, FTL, would start on them after some 4000 members: 0.2 s of
 * processor time, beside us where a core is free and instead of us where none is, for code that waits for the kernel. What the
 * compiler before it makes is as fast here.
 */
const FOR_EACH_MEMBER = [
  sys,
  splitName,
  tarEntry,
  checksumFits,
  parseHeader,
  tarNumber,
  TarReader.prototype.next,
  Tree.prototype.directory,
  Unpacker.prototype.add,
  Files.prototype.add,
  Metadata.prototype.ofFile,
];

export function compileForUnpacking(): void {
  Bun.unsafe.setJITPolicy(1); // the executable starts with a reluctant compiler: this is no longer the start
  for (const called of FOR_EACH_MEMBER) noFTL(called);
}
