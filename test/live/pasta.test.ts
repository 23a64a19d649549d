/** --net pasta: out by TCP, UDP and DNS, in by --publish, through pasta and slirp4netns, as root (of a user namespace, when we are not) and as an ordinary user. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from "node:fs";
import {
  asRoot,
  copyOfNsrun,
  eventually,
  hold,
  isRoot,
  NOBODY,
  NSRUN,
  skipReason,
  smallRoot,
  type Temporary,
  temporary,
  WAIT,
  works,
} from "./helpers.ts";
import { ADDRESSES, LAB, type Machine, machine, TCP, UDP } from "./lab/machine.ts";

const PROGRAMS = ["pasta", "slirp4netns"] as const;
type Program = (typeof PROGRAMS)[number];
const USERS = ["root", "uid 65534"] as const;
type User = (typeof USERS)[number];
/** In the lab, in front of a command, where we are root. */
const BECOME = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];

const reason = skipReason("--net pasta", [
  [PROGRAMS.every((name) => Bun.which(name)), "pasta and slirp4netns are not both installed (Debian: passt, slirp4netns)"],
  [works(...NOBODY, "unshare", "-Ur", "true"), "setpriv is missing, or an ordinary user may not make user namespaces"],
  [isRoot || works("sh", "-c", ": <>/dev/net/tun"), "/dev/net/tun is for root only"],
  [works(...LAB, "ip", "link", "add", "nsr0", "type", "veth", "peer", "name", "nsr1"), "no veth pairs"],
]);

let place: Temporary;
let lab: Machine;
let copy: string[];

/** nsrun in the lab, with `program` the only one in PATH. */
function nsrun(user: User, program: Program | "none" = "pasta"): string[] {
  const env = ["env", `PATH=${place.file(program)}`, `HOME=${place.path}`];
  if (user === "root") return [...lab.enter, ...env, ...NSRUN];
  const [setpriv = "", ...ids] = BECOME;
  const cache = `NSRUN_CACHE=${place.file("cache")}`;
  return [...lab.enter, Bun.which(setpriv)!, ...ids, ...env, cache, ...copy];
}

async function run(prefix: string[], ...args: string[]) {
  const { enter } = lab;
  return lab.run([...prefix.slice(enter.length), "run", "--net", "pasta", ...args]);
}
async function script(prefix: string[], options: string[], text: string): Promise<string> {
  const { code, stdout, stderr } = await run(prefix, ...options, "--", "sh", "-c", text);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout.trimEnd();
}

/** Bun itself inside, since busybox has no UDP: volumes with what it needs, and its beginning of a command line. */
const LIBRARIES = ["/lib", "/lib64", "/usr/lib"]
  .filter((path) => existsSync(path))
  .flatMap((path) => ["-v", `${path}:${path}:ro`]);
const withBun = () => [...LIBRARIES, "-v", `${isRoot ? place.file("nsrun/bun") : process.execPath}:/bun:ro`];

const ASK_UDP = (address: string, port: number, text: string) =>
  `const s = await Bun.udpSocket({ connect: { hostname: "${address}", port: ${port} },
    socket: { data: (_, chunk) => { console.log(String(chunk)); process.exit(0); } } });
  setInterval(() => s.send("${text}"), 200); s.send("${text}");`;
const ANSWER_UDP = `await Bun.udpSocket({ port: 90, socket: { data: (s, chunk, port, address) => { s.send("inside " + chunk, port, address); } } });
  console.log("ready"); for await (const _ of process.stdin); process.exit(0);`;

beforeAll(async () => {
  if (reason !== undefined) return;
  place = temporary();
  chmodSync(place.path, 0o755);
  mkdirSync(place.file("cache"), { mode: 0o700 });
  for (const directory of [...PROGRAMS, "none"]) {
    mkdirSync(place.file(directory));
    for (const name of ["busybox", "env", "setpriv", directory]) {
      const found = Bun.which(name);
      if (found) symlinkSync(found, `${place.file(directory)}/${name}`);
    }
  }
  copy = isRoot ? await copyOfNsrun(place) : [...NSRUN];
  lab = await machine(place, "# the machine's own\nnameserver 127.0.0.53\nnameserver 192.0.2.7\nsearch example.test\n");
  await lab.run(["chown", "65534:65534", place.file("cache")]);
  for (const user of USERS) await run(nsrun(user), "true"); // the cache is filled
});
afterAll(async () => {
  await lab?.run(["rm", "-rf", place.file("cache")]); // what is another's only root of the lab can remove
  await lab?.[Symbol.asyncDispose]();
  place?.[Symbol.dispose]();
});

/** nsrun, its stage and the uplink are in the lab's network namespace; slirp4netns's socket would be in /tmp. */
const left = () => lab.others();

for (const user of USERS)
  for (const program of PROGRAMS)
    describe.skipIf(reason !== undefined)(`${program} as ${user}`, () => {
      test("TCP reaches both of the machine's own addresses", async () => {
        // the writing side stays open: pasta of 2023 keeps back the end of a connection whose client ended first
        const text = ADDRESSES.map((address) => `echo hello >&3; nc ${address} ${TCP} <f`).join("; ");
        expect(await script(nsrun(user, program), [], `mkfifo f; exec 3<>f; ${text}`)).toBe(
          ADDRESSES.map((address) => `tcp ${address} hello`).join("\n"),
        );
        expect(left()).toEqual([]);
      });
      test("UDP goes and comes back", async () => {
        const { stdout, stderr } = await run(
          nsrun(user, program),
          ...withBun(),
          "--",
          "/bun",
          "-e",
          ASK_UDP(ADDRESSES[1], UDP, "hi"),
        );
        expect({ stdout, stderr }).toEqual({ stdout: `udp ${ADDRESSES[1]} hi\n`, stderr: "" });
      });
      test("names are found by the machine's resolver on its loopback, and by one on its address", async () => {
        const conf = await script(nsrun(user, program), [], "cat /etc/resolv.conf");
        expect(conf).toBe("search example.test\nnameserver 10.0.2.3\nnameserver 192.0.2.7");
        for (const server of ["", "192.0.2.7"])
          expect(await script(nsrun(user, program), [], `nslookup -type=a box.test ${server}`)).toContain("Address: 203.0.113.9");
      });
      test("loopback is the container's own, and is up", async () => {
        const text =
          "nc -l -p 99 </dev/null & until nc 127.0.0.1 99 </dev/null; do :; done 2>/dev/null; nc 127.0.0.1 22 2>&1; wait";
        expect(await script(nsrun(user, program), [], text)).toContain("refused");
      });
      test("--publish: TCP from outside, at one address and at all", async () => {
        const options = ["--net", "pasta", "-p", "192.0.2.7:8081:81", "-p", "8080:80/tcp"];
        await using held = await hold(
          options,
          "echo ready; for port in 80 81; do echo inside $port | nc -l -p $port; done",
          nsrun(user, program),
        );
        const ask = (address: string, port: number) =>
          eventuallySays(() => lab.run(["busybox", "nc", "-w", "2", address, String(port)]), "inside");
        expect(await ask(ADDRESSES[0], 8080)).toBe("inside 80\n");
        expect((await lab.run(["busybox", "nc", ADDRESSES[0], "8081"])).stderr).toContain("refused");
        expect(await ask(ADDRESSES[1], 8081)).toBe("inside 81\n");
        expect((await held.finished()).code).toBe(0);
      });
      test("--publish: UDP from outside", async () => {
        const child = Bun.spawn(
          [...nsrun(user, program), "run", "--net", "pasta", "-p", "9090:90/udp", ...withBun(), "--", "/bun", "-e", ANSWER_UDP],
          { stdin: "pipe", stdout: "pipe", stderr: "inherit" },
        );
        const { value } = await child.stdout.getReader().read();
        expect(String(Buffer.from(value ?? []))).toBe("ready\n");
        const asked = await lab.run([process.execPath, "-e", ASK_UDP(ADDRESSES[0], 9090, "ho")]);
        expect(asked.stdout).toBe("inside ho\n");
        child.stdin.end();
        expect(await child.exited).toBe(0);
        expect(left()).toEqual([]);
      });
      for (const whom of ["nsrun", "the container", "the stage"])
        test(`nothing is left after kill -9 of ${whom}`, async () => {
          const held = await hold(["--net", "pasta", "-p", "8080:80"], WAIT, nsrun(user, program));
          expect(left().length).toBeGreaterThanOrEqual(3); // nsrun, stage, uplink
          const parent = (pid: number) => Number(/^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
          const init = parent(held.pid);
          const target = { nsrun: held.child.pid, "the container": init, "the stage": parent(init) }[whom]!;
          process.kill(target, "SIGKILL");
          await held.child.exited;
          await eventually(`the end of ${left()}`, () => left().length === 0);
          await held[Symbol.asyncDispose]();
        });
      test("a command that fails at once leaves nothing either", async () => {
        expect((await run(nsrun(user, program), "false")).code).toBe(1);
        expect((await run(nsrun(user, program), "no-such-command")).code).toBe(127);
        expect(left()).toEqual([]);
      });
    });

/** The first answer that contains `text`: the port is published before the command inside listens. */
async function eventuallySays(ask: () => Promise<{ stdout: string }>, text: string): Promise<string> {
  for (let i = 0; i < 50; i++) {
    const { stdout } = await ask();
    if (stdout.includes(text)) return stdout;
  }
  throw new Error(`never: ${text}`);
}

describe.skipIf(reason !== undefined)("the given root keeps its own resolv.conf", () => {
  for (const user of USERS) {
    for (const [what, link] of [
      ["a link out of the root", "/../../../../VICTIM"],
      ["a dangling link", "../run/systemd/resolve/stub-resolv.conf"],
    ] as const)
      test(`${what}, as ${user}`, async () => {
        using mine = temporary();
        chmodSync(mine.path, 0o755);
        const victim = mine.file("victim");
        writeFileSync(victim, "untouched\n", { mode: 0o666 });
        const root = await smallRoot(mine.file("root"));
        const target = link.replace("/VICTIM", victim);
        symlinkSync(target, `${root}/etc/resolv.conf`);
        expect(await script(nsrun(user), ["--rootfs", root], "cat /etc/resolv.conf")).toContain("nameserver 10.0.2.3");
        expect([readlinkSync(`${root}/etc/resolv.conf`), readFileSync(victim, "utf8")]).toEqual([target, "untouched\n"]);
      });
    test(`--rw, as ${user}`, async () => {
      using mine = temporary();
      chmodSync(mine.path, 0o755);
      const root = await smallRoot(mine.file("root"));
      const file = `${root}/etc/resolv.conf`;
      writeFileSync(file, "its own\n");
      if (user !== "root") expect((await lab.run(["chown", "-R", "65534:65534", root])).code).toBe(0);
      expect(
        await script(nsrun(user), ["--rootfs", root, "--rw"], "cat /etc/resolv.conf; ls /dev/resolv.conf 2>&1 || :"),
      ).toMatch(/nameserver 10\.0\.2\.3[\s\S]*No such file/);
      expect(readFileSync(file, "utf8")).toBe("its own\n");
      await lab.run(["rm", "-rf", root]);
    });
  }
});

describe.skipIf(reason !== undefined)("what cannot be is one clear line", () => {
  const refused = async (prefix: string[], args: string[], first: RegExp, hint?: RegExp) => {
    const { code, stdout, stderr } = await lab.run([...prefix.slice(lab.enter.length), "run", ...args, "--", "true"]);
    const [error = "", second = "", ...rest] = stderr.split("\n");
    expect(error).toMatch(/^nsrun: (?!internal)/);
    expect(error).toMatch(first);
    if (hint) expect(second).toMatch(hint);
    expect({ code, stdout, rest: rest.join("") }).toEqual({ code: 125, stdout: "", rest: "" });
    expect(left()).toEqual([]);
  };
  for (const [port, why] of [
    ["0:80", /0 is no port/],
    ["80:0", /0 is no port/],
    ["70000:80", /70000 is no port/],
    ["80", /expected \[ADDR:\]HOST:CONTAINER/],
    ["x:y", /expected \[ADDR:\]HOST:CONTAINER/],
    ["80:90/sctp", /expected \[ADDR:\]HOST:CONTAINER/],
    ["1.2.3:80:80", /--publish 1\.2\.3:80:80/],
    ["203.0.113.1:8080:80", /cannot listen on tcp port 8080: EADDRNOTAVAIL/],
    [`${TCP}:80`, /cannot listen on tcp port 7001: EADDRINUSE/],
    [`${UDP}:80/udp`, /cannot listen on udp port 7002: EADDRINUSE/],
  ] as const)
    for (const program of PROGRAMS)
      test(`-p ${port}, ${program}`, () => refused(nsrun("root", program), ["--net", "pasta", "-p", port], why));
  test("the same port twice", () =>
    refused(nsrun("root"), ["--net", "pasta", "-p", "80:1", "-p", "80:2"], /given by --publish 80:1 already/));
  test("a low port as an ordinary user", () =>
    refused(nsrun("uid 65534"), ["--net", "pasta", "-p", "80:80"], /port 80: EACCES/, /below 1024 need root/));
  test("--publish with another network", async () => {
    await refused(nsrun("root"), ["-p", "80:80"], /--publish needs --net pasta/);
    await refused(
      nsrun("root"),
      ["--net", "veth", "-p", "80:80"],
      /--publish needs --net pasta/,
      /reaches the container by its address/,
    );
  });
  test("--net veth as an ordinary user names --net pasta", () =>
    refused(nsrun("uid 65534"), ["--net", "veth"], /--net veth needs root: one end/, /--net pasta/));
  test("no program", () =>
    refused(nsrun("uid 65534", "none"), ["--net", "pasta"], /neither pasta nor slirp4netns/, /passt and slirp4netns/));
  asRoot("the device is root's")("a tun device for root only", async () => {
    await lab.run(["chmod", "600", "/dev/net/tun"]);
    try {
      await refused(nsrun("uid 65534"), ["--net", "pasta"], /open \/dev\/net\/tun: EACCES/, /chmod 0666/);
    } finally {
      await lab.run(["chmod", "666", "/dev/net/tun"]);
    }
  });
  test("a machine without a default route", async () => {
    await lab.run(["ip", "route", "del", "default"]);
    try {
      await refused(nsrun("uid 65534"), ["--net", "pasta"], /pasta has given up: /, /default route/);
    } finally {
      await lab.run(["ip", "route", "add", "default", "via", "192.0.2.254", "dev", "up0"]);
    }
  });
  for (const program of PROGRAMS)
    test(`a ${program} that gives up`, async () => {
      const fake = place.file(`fake-${program}`);
      mkdirSync(fake, { recursive: true });
      writeFileSync(`${fake}/${program}`, "#!/bin/sh\necho it will not >&2\nexit 1\n", { mode: 0o755 });
      for (const args of [[], ["-p", "8080:80"]]) {
        const prefix = nsrun("uid 65534").map((word) => (word.startsWith("PATH=") ? `PATH=${fake}:${place.file("none")}` : word));
        await refused(prefix, ["--net", "pasta", ...args], new RegExp(`${program} has given up: it will not`));
      }
    });
});
