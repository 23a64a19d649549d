/** `--user` against a root's own files. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Fd } from "../../src/ffi/fd.ts";
import { O } from "../../src/ffi/flags.ts";
import { parseId, resolveUser } from "../../src/rootfs/accounts.ts";
import { Place } from "./tar-writer.ts";

const place = new Place();
const etc = join(place.target, "etc");
mkdirSync(etc);
afterAll(() => place[Symbol.dispose]());

const PASSWD =
  "root:x:0:0:root:/root:/bin/sh\nann:x:1000:1001:Ann:/home/ann:/bin/sh\nbad:x:1x:0::/:\nshort:x:1\nrel:x:7:7::home:\n";
writeFileSync(join(etc, "passwd"), PASSWD);
writeFileSync(join(etc, "group"), "root:x:0:\nwheel:x:10:ann\n");

function user(text: string) {
  using root = Fd.from("open the root", "openat", -100, place.target, O.O_PATH | O.O_DIRECTORY | O.O_CLOEXEC, 0);
  return resolveUser(root.number, text);
}

test("names and numbers", () => {
  expect(user("ann")).toEqual({ uid: 1000, gid: 1001, home: "/home/ann" });
  expect(user("1000")).toEqual({ uid: 1000, gid: 1001, home: "/home/ann" });
  expect(user("ann:wheel")).toEqual({ uid: 1000, gid: 10, home: "/home/ann" });
  expect(user("5:6")).toEqual({ uid: 5, gid: 6 });
  expect(user("5")).toEqual({ uid: 5, gid: 0 });
  expect(user("rel")).toEqual({ uid: 7, gid: 7 });
  expect(user("4294967294")).toEqual({ uid: 4294967294, gid: 0 });
});

describe("errors", () => {
  for (const [text, why] of [
    ["1000x", "1000x is no user id (0 to 4294967294)"],
    ["-1", "-1 is no user id"],
    ["+1", "+1 is no user id"],
    ["0x10", "0x10 is no user id"],
    ["010", "010 is no user id"],
    ["4294967295", "4294967295 is no user id"],
    ["99999999999999999999", "is no user id"],
    ["", "empty user"],
    [":5", "empty user"],
    ["ann:", "empty group"],
    ["ann:1x", "1x is no group id"],
    ["ann:4294967295", "4294967295 is no group id"],
    ["a:b:c", "expected NAME[:GROUP]"],
    ["a b", "a b is no user name"],
    ["nobody", "no user nobody in the root's etc/passwd"],
    ["ann:staff", "no group staff in the root's etc/group"],
    ["bad", "the line of bad has no valid id"],
    ["short", "no user short"],
  ] as const) {
    test(JSON.stringify(text), () => expect(() => user(text)).toThrow(why));
  }
});

test("the root's files are its own: links stay inside, a fifo does not hold us up, a huge file is refused", () => {
  const passwd = join(etc, "passwd");
  rmSync(passwd);
  symlinkSync("/../../../../../../etc/passwd", passwd); // inside the root this is itself
  expect(() => user("root")).toThrow("ELOOP");
  rmSync(passwd);
  writeFileSync(join(place.target, "real"), "in:x:3:4::/in:\n");
  symlinkSync("/real", passwd);
  expect(user("in")).toEqual({ uid: 3, gid: 4, home: "/in" });
  rmSync(passwd);
  Bun.spawnSync(["mkfifo", passwd]);
  expect(() => user("root")).toThrow("the root's etc/passwd is not a regular file");
  rmSync(passwd);
  writeFileSync(passwd, Buffer.alloc((1 << 20) + 1, "\n"));
  expect(() => user("root")).toThrow("larger than 1048576 bytes");
  rmSync(passwd);
  expect(() => user("root")).toThrow("no user root");
  expect(user("0")).toEqual({ uid: 0, gid: 0 });
});

test("ids are parsed strictly", () => {
  expect(["0", "65534", "4294967294"].map(parseId)).toEqual([0, 65534, 4294967294]);
  expect(["", "00", " 1", "1 ", "1e3", "１"].map(parseId)).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});
