/** A root file system like Buildroot's output/images/rootfs.tar, small: busybox, its links, /etc, and nodes in /dev. */
import { AT_FDCWD, O } from "../ffi/flags.ts";
import { must, sys } from "../ffi/syscall.ts";
import { findBusybox } from "../rootfs/busybox.ts";

interface Member {
  readonly name: string;
  readonly mode: number;
  /** tar(5)'s type flag: 0 file, 2 symbolic link, 3 character device, 5 directory. */
  readonly type: "0" | "2" | "3" | "5";
  readonly data?: Uint8Array;
  readonly link?: string;
  readonly device?: readonly [major: number, minor: number];
}

const octal = (value: number, length: number): string => `${value.toString(8).padStart(length - 1, "0")}\0`;

/** A ustar header and the padded body: tar(5). No times, so that the same content is the same archive. */
function encode({ name, mode, type, data = new Uint8Array(0), link = "", device = [0, 0] }: Member): Buffer {
  const block = Buffer.alloc(512);
  const fields: readonly (readonly [at: number, text: string])[] = [
    [0, name],
    [100, octal(mode, 8)],
    [108, octal(0, 8)],
    [116, octal(0, 8)],
    [124, octal(data.length, 12)],
    [136, octal(0, 12)],
    [148, "        "],
    [156, type],
    [157, link],
    [257, "ustar\x0000"],
    [329, octal(device[0], 8)],
    [337, octal(device[1], 8)],
  ];
  for (const [at, text] of fields) block.write(text, at, "latin1");
  const sum = block.reduce((all, byte) => all + byte, 0);
  block.write(`${octal(sum, 7)} `, 148, "latin1");
  return Buffer.concat([block, data, Buffer.alloc(-data.length & 511)]);
}

const directory = (name: string): Member => ({ name: `${name}/`, mode: 0o755, type: "5" });
const text = (name: string, content: string): Member => ({ name, mode: 0o644, type: "0", data: Buffer.from(content) });
const link = (name: string, target: string): Member => ({ name, mode: 0o777, type: "2", link: target });

const NODES: readonly Member[] = [
  { name: "dev/console", mode: 0o600, type: "3", device: [5, 1] },
  { name: "dev/null", mode: 0o666, type: "3", device: [1, 3] },
];
export const ISSUE = "Welcome to the lesson";

/** The archive, gzipped. `nodes`: with Buildroot's device nodes; a directory that was copied by an ordinary user has none. */
export async function rootfsTarball(nodes: boolean): Promise<Uint8Array<ArrayBuffer>> {
  const busybox = await Bun.file((await findBusybox()).file).bytes();
  const members: readonly Member[] = [
    ...["bin", "dev", "etc", "proc", "sys", "tmp"].map(directory),
    { name: "bin/busybox", mode: 0o755, type: "0", data: busybox },
    ...["sh", "ls", "cat", "stat", "touch"].map((name) => link(`bin/${name}`, "busybox")),
    text("etc/issue", `${ISSUE}\n`),
    text("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"),
    ...(nodes ? NODES : []),
  ];
  return Bun.gzipSync(Buffer.concat([...members.map(encode), Buffer.alloc(1024)]));
}

/** The archive as a file in memory, under a path for --rootfs. */
export async function tarballFile(nodes: boolean): Promise<{ readonly path: string } & Disposable> {
  const data = await rootfsTarball(nodes);
  const fd = must("make a file in memory", "memfd_create", "rootfs.tar.gz", 1);
  must("write the archive", "write", fd, data, data.length);
  return { path: `/proc/${process.pid}/fd/${fd}`, [Symbol.dispose]: () => void sys("close", fd) };
}

/** major:minor of a character device that is there, or what is in its place. */
export function nodeAt(path: string): string {
  const fd = sys("openat", AT_FDCWD, path, O.O_PATH | O.O_NOFOLLOW | O.O_CLOEXEC, 0);
  if (fd < 0) return "not there";
  sys("close", fd);
  const { mode, rdev } = process.getBuiltinModule("node:fs").lstatSync(path);
  return (mode & 0o170000) === 0o020000 ? `character device ${rdev >> 8}:${rdev & 0xff}` : "no device";
}
