/** The same user, by two numbers. */
import type { Caller } from "../container/caller.ts";
import { container } from "../container/handle.ts";
import type { ContainerOptions } from "../container/options.ts";
import { readText } from "../ffi/file.ts";
import { unpackFile } from "../rootfs/archive.ts";
import * as code from "./code/user.ts" with { type: "text" };
import { temporary } from "./directory.ts";
import type { Lab, Lesson } from "./lesson.ts";
import { tarballFile } from "./tarball.ts";

/** Far from what --userns auto of another container may have. */
const HOST_ID = 1_000_000_000;

/** Root chooses the ids, and a root directory that they can read; anybody else has himself, and what /etc/subuid grants. */
async function* options(caller: Caller): AsyncGenerator<ContainerOptions> {
  if (!caller.admin) {
    yield {};
    return;
  }
  using archive = await tarballFile(false);
  using dir = temporary(0o755);
  await unpackFile(archive.path, dir.path);
  yield { uidMap: [`0:${HOST_ID}:65536`], rootfs: dir.path };
}

const words = (text: string): string => text.trim().split(/\s+/).slice(0, 3).join(" ");

function proc(pid: number, file: string): string {
  const text = readText(`/proc/${pid}/${file}`);
  return typeof text === "number" ? "" : text;
}

export const user: Lesson = {
  name: "user",
  title: "root inside, nobody special outside: the map from both sides",
  will: [
    "make a container with a user namespace whose root is another user outside",
    "read the user's id and the map inside, by a command that has joined",
    "read the same process's id and map outside, in /proc/PID",
  ],
  async *plans(caller) {
    for await (const chosen of options(caller))
      yield { title: "a container with a map of ids", command: ["id"], options: chosen };
  },
  code,
  async run(lab: Lab) {
    for await (const chosen of options(lab.caller)) await look(lab, chosen);
  },
};

async function look(lab: Lab, chosen: ContainerOptions): Promise<void> {
  const outside = String(lab.caller.admin ? HOST_ID : lab.caller.euid);
  await using box = await container(chosen);
  const { stdout } = await box.exec("id -u; id -u root; head -n1 /proc/self/uid_map");
  const [id, root, map] = stdout.split("\n");
  lab.see("id -u, inside", "0", id ?? "nothing");
  lab.see("root's id by the container's /etc/passwd", "0", root ?? "nothing");
  const uid = /^Uid:\s+(\d+)/m.exec(proc(box.pid, "status"))?.[1] ?? "nothing";
  lab.see("the same process's user, outside (/proc/PID/status)", outside, uid);
  const line = words(proc(box.pid, "uid_map").split("\n")[0] ?? "");
  lab.see("the map's first line, outside: inside, outside, how many", `0 ${outside} ${lab.caller.admin ? 65536 : 1}`, line);
  lab.see("the map's first line, inside", line, words(map ?? ""));
}
