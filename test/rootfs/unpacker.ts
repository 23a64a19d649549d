/**
 * A child of the tests: `unpacker.ts tar FILE` unpacks into $NSRUN_CACHE, `dir FILE DIR` as nsrun unpack; `hold FILE` unpacks, says
 * so and keeps the tree until its stdin ends; `look FILE` counts the files of the tree.
 */
import { NsrunError } from "../../src/errors.ts";
import { unpackFile } from "../../src/rootfs/archive.ts";
import { cachedTar } from "../../src/rootfs/cache.ts";

const [what, file = "", dir = ""] = process.argv.slice(2);
try {
  const made = what === "dir" ? await unpackFile(file, dir) : await cachedTar(file);
  if (what === "look" && "dir" in made) console.log([...new Bun.Glob("**/f*").scanSync({ cwd: made.dir })].length);
  else console.log(JSON.stringify(made));
  if (what === "hold") await Bun.stdin.text();
} catch (error) {
  if (!(error instanceof NsrunError)) throw error;
  console.error(`${error.name}: ${error.message}`);
  process.exit(125);
}
