// A root file system from a tarball, such as Buildroot's output/images/rootfs.tar.gz. It is unpacked once, into a cache,
// and never modified: what the container writes goes into a layer that is thrown away.
//   sudo bun examples/03-rootfs.ts rootfs.tar.gz
import { NsrunError, run } from "../src/index.ts";

const rootfs = process.argv[2] ?? "rootfs.tar.gz";
try {
  const first = await run("echo written > /new; ls -l /dev/null /new; cat /etc/hostname", { rootfs });
  console.log(first.stdout.trim());

  const second = await run("ls /new", { rootfs });
  console.log(`in the next container: ${second.stderr.trim()}`);
} catch (error) {
  if (!(error instanceof NsrunError)) throw error;
  console.error(error.message);
  process.exitCode = error.exitCode;
}
