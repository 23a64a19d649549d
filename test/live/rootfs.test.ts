/** What needs root, another user, or a disk of its own. */
import { describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { Fd } from "../../src/ffi/fd.ts";
import { must } from "../../src/ffi/syscall.ts";
import { findBusybox } from "../../src/rootfs/busybox.ts";
import { appletsOf, populateBusyboxRoot } from "../../src/rootfs/skeleton.ts";
import { type Member, Place, tar } from "../rootfs/tar-writer.ts";
import { asRoot, OWN_MOUNTS } from "./helpers.ts";

const DEVICES = "device nodes and other owners need root";
const CHILD = join(import.meta.dir, "../rootfs/unpacker.ts");

const MEMBERS: Member[] = [
  { name: "null", type: "3", mode: 0o666, major: 1, minor: 3 },
  { name: "disk", type: "4", mode: 0o660, major: 259, minor: 300, uid: 0, gid: 6 },
  { name: "pipe", type: "6", mode: 0o622, uid: 12, gid: 13 },
  { name: "su", mode: 0o4755, uid: 0, gid: 0, data: "su" },
  { name: "theirs", mode: 0o2750, uid: 1234, gid: 5678, data: "x" },
  { name: "d", type: "5", mode: 0o2775, uid: 70000, gid: 70001 },
  { name: "l", type: "2", link: "theirs", uid: 1234, gid: 5678 },
];

describe("unpacking", () => {
  asRoot(DEVICES)("as root: devices when asked for, fifos, owners, set-id bits", async () => {
    using place = new Place();
    const before = process.umask(0o077);
    const report = await place.unpack(tar(...MEMBERS), { devices: true }).finally(() => process.umask(before));
    expect(report).toMatchObject({ devices: 2, fifos: 1, files: 2, skipped: { devices: 0, owners: 0, setid: 0, xattrs: 0 } });
    const seen = Bun.spawnSync(["stat", "-c", "%n %F %a %u:%g %t:%T", ...MEMBERS.map((m) => m.name)], { cwd: place.target });
    expect(seen.stdout.toString().trim().split("\n")).toEqual([
      "null character special file 666 0:0 1:3",
      "disk block special file 660 0:6 103:12c",
      "pipe fifo 622 12:13 0:0",
      "su regular file 4755 0:0 0:0",
      "theirs regular file 2750 1234:5678 0:0",
      "d directory 2775 70000:70001 0:0",
      "l symbolic link 777 1234:5678 0:0",
    ]);
  });

  asRoot("setpriv needs root")(
    "as another user: no devices, own files, no set-id bits, all of it counted; read-only directories are filled",
    async () => {
      using place = new Place();
      // the source tree may lie where others cannot look: the child runs from a bundle
      const bundle = join(place.target, "bundle");
      const built = await Bun.build({ entrypoints: [CHILD], target: "bun", outdir: bundle, external: ["bun:ffi"] });
      expect(built.success).toBe(true);
      const bun = join(place.target, "bun");
      copyFileSync(realpathSync(process.execPath), bun);
      const archive = join(place.target, "t.tar");
      writeFileSync(archive, tar(...MEMBERS, { name: "ro", type: "5", mode: 0o555 }, { name: "ro/f", data: "x" }));
      const home = join(place.target, "home");
      mkdirSync(home);
      chownSync(home, 65534, 65534);
      for (const path of [place.dir, place.target, bundle]) chmodSync(path, 0o755);
      chmodSync(bun, 0o755);
      const child = Bun.spawnSync(
        [
          "setpriv",
          "--reuid=65534",
          "--regid=65534",
          "--clear-groups",
          bun,
          join(bundle, "unpacker.js"),
          "dir",
          archive,
          join(home, "out"),
        ],
        { cwd: "/", env: { PATH: "/usr/bin:/bin", HOME: home }, stderr: "pipe" },
      );
      expect(child.stderr.toString()).toBe("");
      expect(JSON.parse(child.stdout.toString()).skipped).toEqual({ devices: 2, owners: 7, setid: 3, xattrs: 0 });
      const out = join(home, "out");
      expect(readdirSync(out).sort()).toEqual(["d", "l", "pipe", "ro", "su", "theirs"]);
      for (const name of readdirSync(out)) expect(lstatSync(join(out, name)).uid).toBe(65534);
      expect(statSync(join(out, "su")).mode & 0o7777).toBe(0o755);
      expect(statSync(join(out, "ro")).mode & 0o7777).toBe(0o555);
    },
  );
});

test("a full disk: one clear line, and nothing is left", () => {
  using place = new Place();
  const archive = join(place.target, "t.tar");
  writeFileSync(archive, tar({ name: "small", data: "x" }, { name: "big", data: Buffer.alloc(8 << 20, 1) }));
  const disk = join(place.target, "disk");
  mkdirSync(disk);
  // memo-…: the archive's hash, noted when it is older than a second
  const script = `mount -t tmpfs -o size=2m,mode=0700 nsrun-test "$1" && { "$2" "$3" tar "$4"; echo "status $?"; ls -A -I 'memo-*' "$1"; }`;
  const child = Bun.spawnSync([...OWN_MOUNTS, "sh", "-c", script, "sh", disk, process.execPath, CHILD, archive], {
    env: { ...process.env, NSRUN_CACHE: disk },
    stderr: "pipe",
  });
  expect(child.stderr.toString()).toBe(`SyscallError: ${archive}: unpack big: ENOSPC (no space left on device)\n`);
  expect(child.stdout.toString()).toBe("status 125\n");
});

asRoot("fsopen(2) needs root")("a busybox root in a tmpfs that is mounted nowhere", async () => {
  const busybox = await findBusybox({ fetch: false }).catch(() => undefined);
  if (!busybox) {
    console.log("skipped: no static busybox on this machine");
    return;
  }
  using context = Fd.from("open a tmpfs", "fsopen", "tmpfs", 1);
  must("create it", "fsconfig", context.number, 6, null, null, 0);
  using mount = Fd.from("mount it nowhere", "fsmount", context.number, 1, 0);
  const image = await Bun.file(busybox.file).bytes();
  await populateBusyboxRoot(mount.number, image, appletsOf(image));
  expect(readdirSync(`/proc/self/fd/${mount.number}/etc`).sort()).toContain("passwd");
  expect(statSync(`/proc/self/fd/${mount.number}/bin/sh`).size).toBe(image.length);
});
