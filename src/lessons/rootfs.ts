/** A root from an archive, and from a directory. */
import { readdirSync } from "node:fs";
import { run } from "../container/box.ts";
import { unpackFile } from "../rootfs/archive.ts";
import * as code from "./code/rootfs.ts" with { type: "text" };
import { temporary } from "./directory.ts";
import type { Lab, Lesson, Making } from "./lesson.ts";
import { ISSUE, nodeAt, tarballFile } from "./tarball.ts";

const IN_ARCHIVE = "cat /etc/issue; stat -c '%F %t:%T' /dev/null; echo x >/dev/null && echo taken; touch /new && echo written";
const IN_DIRECTORY = "stat -c '%F %t:%T' /dev/null; echo x >/dev/null && echo taken; touch /new && echo written";

/** The lines that a script printed in that root. */
async function lines(script: string, options: Parameters<typeof run>[1]): Promise<string[]> {
  const { stdout, stderr } = await run(script, options);
  return (stdout + stderr).trim().split("\n");
}

async function fromArchive(lab: Lab): Promise<void> {
  using archive = await tarballFile(true);
  if (lab.caller.privileged) {
    using dir = temporary();
    await unpackFile(archive.path, dir.path, { devices: true });
    lab.see("dev/null, unpacked from the archive", "character device 1:3", nodeAt(`${dir.path}/dev/null`));
  } else
    lab.cannot(
      "the archive's device nodes on the disk",
      "mknod(2) takes root outside of any container",
      "sudo nsrun demo rootfs",
    );
  const [issue, node, taken, written] = await lines(IN_ARCHIVE, { rootfs: archive.path });
  lab.see("archive: its /etc/issue, inside", ISSUE, issue ?? "nothing");
  lab.see("archive: /dev/null, inside", "character special file 1:3", node ?? "nothing");
  lab.see("archive: /dev/null takes what is written, and so does /", "taken written", `${taken} ${written}`);
  const [again] = await lines("test -e /new && echo there || echo gone", { rootfs: archive.path });
  lab.see("archive: what was written, in the next container", "gone", again ?? "nothing");
}

async function fromDirectory(lab: Lab): Promise<void> {
  using archive = await tarballFile(false);
  using dir = temporary();
  await unpackFile(archive.path, dir.path);
  const nodes = () => readdirSync(`${dir.path}/dev`).join(" ") || "empty";
  lab.see("directory: its dev/", "empty", nodes());
  const [node, taken, written] = await lines(IN_DIRECTORY, { rootfs: dir.path, rw: true });
  lab.see("directory: /dev/null was made, inside", "character special file 1:3", node ?? "nothing");
  lab.see("directory: it takes what is written, and so does /", "taken written", `${taken} ${written}`);
  lab.see("directory: its dev/ afterwards (the nodes lie in a tmpfs)", "empty", nodes());
  lab.see("directory: what was written to / (--rw)", "new", readdirSync(dir.path).includes("new") ? "new" : "gone");
}

/** Both are made to be planned, and removed. */
async function* plans(): AsyncGenerator<Making> {
  using archive = await tarballFile(true);
  yield { title: "a root from an archive", command: ["/bin/sh", "-c", IN_ARCHIVE], options: { rootfs: archive.path } };
  using dir = temporary();
  yield {
    title: "a root from a directory, written in place",
    command: ["/bin/sh", "-c", IN_DIRECTORY],
    options: { rootfs: dir.path, rw: true },
  };
}

export const rootfs: Lesson = {
  name: "rootfs",
  title: "a root from Buildroot's tarball, or from a directory",
  will: [
    "make an archive like Buildroot's rootfs.tar.gz, with device nodes in its /dev, and unpack it",
    "run a container from it: nodes work, writes go into a layer that is thrown away",
    "run a container from a plain directory whose /dev is empty: the nodes are made inside, the directory is written in place",
  ],
  plans,
  code,
  async run(lab: Lab) {
    await fromArchive(lab);
    await fromDirectory(lab);
  },
};
