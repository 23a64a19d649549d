/** Whole trees, as other programs write them: what nsrun makes of them is what GNU tar and bsdtar make. */
import { describe, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { compare, root, run } from "./compare.ts";
import { Place } from "./tar-writer.ts";

/** A tree of everything that tar knows and anybody may make. */
function tree(place: Place): string {
  const dir = join(place.target, "tree");
  mkdirSync(dir);
  const script = `mkdir -p a/b empty; echo x >a/f; ln a/f a/hard; ln -s nowhere a/l; ln -s ../a a/dir; ln a/l a/b/hardlink-to-link
    mkfifo -m 622 a/p; printf 'bytes' >"$(printf 'a/\\303\\274 name')"; echo s >a/su; chmod 6755 a/su; chmod 1777 empty
    truncate -s 1M holes; printf middle | dd of=holes bs=1 seek=300000 conv=notrunc 2>/dev/null
    truncate -s 3M many; for i in 1 3 5 7 9 11 13 15 17 19 21 23 25 27 29 31 33 35 37 39 41 43; do printf $i | dd of=many bs=1 seek=$((i * 65536)) conv=notrunc 2>/dev/null; done
    truncate -s 70000 hole-only; : >zero; d=a/b; for i in 1 2 3 4 5 6 7 8; do d=$d/a-directory-with-a-rather-long-name-$i; done; mkdir -p $d; echo deep >$d/f; ln -s $d a/long
    touch -h -d @1500000000.25 a/l a/f empty; touch -d @-100 zero`;
  run(["sh", "-c", script], dir);
  if (root)
    run(["sh", "-c", "chown 12:34 a/su; chown -h 56:78 a/l; chown 70000:3000000 empty; chmod 6755 a/su; chmod 555 a/b"], dir);
  return dir;
}

describe("a tree", () => {
  const writers: [string, string[]][] = [
    ["GNU tar, gnu", ["tar", "--format=gnu"]],
    ["GNU tar, gnu, sparse", ["tar", "--format=gnu", "-S"]],
    ["GNU tar, oldgnu", ["tar", "--format=oldgnu"]],
    ["GNU tar, pax", ["tar", "--format=pax"]],
    ["GNU tar, pax, sparse 1.0", ["tar", "--format=pax", "-S"]],
    ["GNU tar, pax, sparse 0.1", ["tar", "--format=pax", "-S", "--sparse-version=0.1"]],
    ["bsdtar, pax", ["bsdtar", "--format=pax"]],
    ["bsdtar, pax, sparse", ["bsdtar", "--format=pax", "--read-sparse"]],
    ["bsdtar, gnutar", ["bsdtar", "--format=gnutar"]],
  ];
  for (const [what, writer] of writers) {
    test.skipIf(!Bun.which(writer[0] ?? ""))(`written by ${what}`, async () => {
      using place = new Place();
      const archive = join(place.target, "t.tar");
      run([...writer, "-C", tree(place), "-cf", archive, "."]);
      await compare(place, archive, false);
      // GNU tar gives some directories of bsdtar's archives the time of now
      await compare(place, archive, true, writer.slice(0, 1));
    });
  }
});
