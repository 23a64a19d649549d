/** A child of the tests: `unpacker.ts tar FILE` unpacks into $NSRUN_CACHE, `unpacker.ts dir FILE DIR` as nsrun unpack. */
import { NsrunError } from "../../src/errors.ts";
import { unpackFile } from "../../src/rootfs/archive.ts";
import { cachedTar } from "../../src/rootfs/cache.ts";

const [what, file = "", dir = ""] = process.argv.slice(2);
try {
  console.log(JSON.stringify(what === "tar" ? await cachedTar(file) : await unpackFile(file, dir)));
} catch (error) {
  if (!(error instanceof NsrunError)) throw error;
  console.error(`${error.name}: ${error.message}`);
  process.exit(125);
}
