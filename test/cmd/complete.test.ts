/** What the completions offer, before any shell has a say. */
import { describe, expect, test } from "bun:test";
import { findCommand, visible } from "../../src/cmd/commands.ts";
import { candidates, candidatesIn, commandCandidates, isLeading } from "../../src/cmd/complete.ts";
import { type Entry, optionText } from "../../src/cmd/entry.ts";
import { longOption, type Option, runOptions, VERSION } from "../../src/cmd/options.ts";
import { parseWords } from "../../src/cmd/other.ts";
import { shape, valueCandidates } from "../../src/cmd/values.ts";
import { NAMESPACES } from "../../src/plan/spec.ts";

/** `word`, `part…`, `<files>` with what stands before: a line for each candidate. */
async function offered(...words: string[]): Promise<string[]> {
  const found = await candidates(words);
  return found.map(({ kind, text }) => (kind === "word" ? text : kind === "part" ? `${text}…` : `${text}<${kind}>`));
}

test.each<[string[], string[]]>([
  [[""], [...new Set(visible().map(({ name }) => name.split(" ")[0]!))]],
  [["help", "r"], ["run"]],
  [["nope", ""], []],
  [["run", "--read"], ["--read-only"]],
  [["run", "--read-only", "--read"], []],
  [["run", "-v", "/a:/b", "--vol"], ["--volume"]],
  [["run", "--no-in"], ["--no-init"]],
  [["--vers"], ["--version"]],
  [["--hostname", "x", "--vers"], []],
  [
    ["run", "--net", ""],
    ["none", "host", "veth", "pasta", "ns:…"],
  ],
  [["--net", "v"], ["veth"]],
  [["run", "--net=v"], ["--net=veth"]],
  [["run", "--net", "ns:/x"], ["ns:<files>"]],
  [["run", "--net", "host:/x"], []],
  [["run", "--gateway", ""], ["none"]],
  [
    ["run", "--share", "pid,u"],
    ["pid,uts…", "pid,user…"],
  ],
  [["run", "--share", "uts,u"], ["uts,user…"]],
  [["run", "--share=p"], ["--share=pid…"]],
  [["run", "--join", "n"], ["net=…"]],
  [["run", "--join", "net="], ["net=<files>"]],
  [["run", "--ulimit", "nof"], ["nofile=…"]],
  [
    ["run", "--propagation", "rs"],
    ["rslave", "rshared"],
  ],
  [["run", "-v", "/a"], ["<files>"]],
  [["run", "-v", "/a:/b"], []],
  [["run", "-v", "/a:/b:noe"], ["/a:/b:noexec…"]],
  [["run", "-v", "/a:/b:ro,noe"], ["/a:/b:ro,noexec…"]],
  [["run", "--tmpfs", "/a:si"], ["/a:size=…"]],
  [["run", "--mount", "ty"], ["type=…"]],
  [["run", "--mount", "type=bind,src=/"], ["type=bind,src=<files>"]],
  [["run", "--mount", "type=bind,src=/a,nos"], ["type=bind,src=/a,nosuid…"]],
  [
    ["run", "--rootfs", "h"],
    ["<files>", "host"],
  ],
  [["run", "--hostname", ""], []],
  [["run", "-it", "--hostn"], ["--hostname"]],
  [["run", "-itu", ""], []],
  [["run", ""], ["<commands>"]],
  [["run", "ls", "--"], ["<files>"]],
  [["run", "--", "--r"], ["<commands>"]],
  [["run", "--net", "veth", "--", "ls", ""], ["<files>"]],
  [["unpack", ""], ["<files>"]],
  [["unpack", "a", ""], ["<dirs>"]],
  [["unpack", "a", "b", ""], []],
  [
    ["unpack", "--"],
    ["--devices", "--no-same-owner", "--max-size", "--max-entries", "--max-depth", "--max-path", "--max-ratio", "--help"],
  ],
  [
    ["completion", ""],
    ["bash", "zsh", "fish"],
  ],
])("%p: %p", async (words, expected) => {
  expect(await offered(...words)).toEqual(expected);
});

test("every option of the table is offered with its help", async () => {
  const found = await candidates(["run", "--"]);
  for (const option of runOptions()) expect(found).toContainEqual({ kind: "word", text: longOption(option), help: option.help });
});

test("choices come behind =, a negation beside its option, shorts after a lone dash", async () => {
  const options: Option[] = [
    { group: "x", name: "plan", short: "p", choices: ["text", "json"], help: "" },
    { group: "x", name: "new-keyring", negative: "too", help: "" },
  ];
  const entry: Entry = { ...findCommand(["unpack"])!.entry, options };
  const texts = async (before: string[], text: string) =>
    (await candidatesIn(entry, options, before, text)).map((one) => one.text);
  expect(await texts([], "-")).toEqual(["-p", "--plan", "--plan=", "--new-keyring", "--no-new-keyring"]);
  expect(await texts(["--plan=text"], "--p")).toEqual([]);
  expect(await texts([], "--plan=")).toEqual(["--plan=text", "--plan=json"]);
  expect(await texts(["--no-new-keyring"], "--n")).toEqual([]);
  expect(await texts(["--plan"], "a")).toEqual([""]); // the archive: a choice is no word of its own
  expect(optionText(options[0]!)).toBe("-p, --plan[=text|json]");
  for (const [words, plan] of [
    [["--plan"], "text"],
    [["--plan=json"], "json"],
  ] as const) {
    expect(await parseWords(entry, [...words, "a", "b"])).toEqual({
      operands: ["a", "b"],
      options: { plan, newKeyring: undefined },
    });
  }
  await expect(parseWords(entry, ["a", "b", "--plan=xml"])).rejects.toThrow("argument xml is invalid");
});

test("a command may have a name of two words, and be meant by the first alone", () => {
  const [entry] = visible();
  const commands: Entry[] = [
    { ...entry!, name: "cache list", alone: true },
    { ...entry!, name: "cache prune" },
    { ...entry!, name: "seccomp dump" },
  ];
  const named = (...words: string[]) => {
    const found = findCommand(words, commands);
    return found && [found.entry.name, found.length];
  };
  expect(named("cache")).toEqual(["cache list", 1]);
  expect(named("cache", "--json")).toEqual(["cache list", 1]);
  expect(named("cache", "prune", "x")).toEqual(["cache prune", 2]);
  expect(named("seccomp")).toBeUndefined();
  expect(named("seccomp", "dump")).toEqual(["seccomp dump", 2]);
  const offer = (before: string[], text: string) => commandCandidates(before, text, commands).map((one) => one.text);
  expect(offer([], "")).toEqual(["cache", "seccomp"]);
  expect(offer(["cache"], "")).toEqual(["list", "prune"]);
  expect(offer(["cache"], "p")).toEqual(["prune"]);
});

test("what stands before the command's name is told from what stands instead of it", () => {
  const options = [VERSION, { group: "x", name: "errors", choices: ["json"], help: "", leading: true }] as const;
  expect(["--errors=json", "--errors", "--version", "run"].map((word) => isLeading(word, options))).toEqual([
    true,
    true,
    false,
    false,
  ]);
});

describe("the value of an option is read as it is shown in the help", () => {
  test("alternatives, fields, lists and what may be left out", () => {
    const field = (name: string, sign = "", must = sign !== "", list = false) => ({ name, sign, must, list });
    expect(shape("NS,…")).toEqual({ list: true, alternatives: [[field("NS")]] });
    expect(shape("none|ns:PATH")).toEqual({ list: false, alternatives: [[field("none")], [field("ns", ":"), field("PATH")]] });
    expect(shape("SRC:DST[:OPT,…]").alternatives).toEqual([
      [field("SRC", ":"), field("DST", ":", false), field("OPT", "", false, true)],
    ]);
    expect(shape("[ADDR:]HOST:CONTAINER[/tcp|/udp]").alternatives).toHaveLength(1);
  });
  test("an option to come is completed by its value alone", async () => {
    expect(await valueCandidates("plan", "text|json|sh", "j")).toEqual([{ kind: "word", text: "json" }]);
    expect(await valueCandidates("unmask", "NS,…", "")).toHaveLength(NAMESPACES.length);
  });
});
