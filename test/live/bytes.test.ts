/** What is not UTF-8 is never changed in silence: Bun shows U+FFFD for it. The real U+FFFD is a character like any other. */
import { describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { canRun, NSRUN, nsrun, shell, skipReason, temporary } from "./helpers.ts";

const reason = skipReason("words that are not UTF-8", [canRun]);

/** A script of sh in which BAD holds the byte 0xff, and NSRUN is nsrun. */
async function script(text: string, cwd?: string) {
  const words = NSRUN.map((word) => `'${word}'`).join(" ");
  return await shell(["sh", "-c", `BAD=$(printf 'x\\377'); ${text.replaceAll("NSRUN", words)}`], {
    ...(cwd === undefined ? {} : { cwd }),
  });
}
const refused = (words: string) => ({ code: 125, stdout: "", stderr: `nsrun: ${words}\n` });

describe.skipIf(reason !== undefined)("not UTF-8", () => {
  for (const [what, text, words] of [
    ["an argument", 'NSRUN run -- printf %s "$BAD"', "an argument is not valid UTF-8: x\\xff"],
    ["a variable", 'NSRUN run -e "A=$BAD" -- env', "an argument is not valid UTF-8: A=x\\xff"],
    ["a volume", 'NSRUN run -v "$BAD:/v" -- true', "an argument is not valid UTF-8: x\\xff:/v"],
    ["another command's operand", 'NSRUN unpack "$BAD" out', "an argument is not valid UTF-8: x\\xff"],
    ["a variable of the caller's", 'A="$BAD" NSRUN run -e A -- env', "--env A: the value is not valid UTF-8: A=x\\xff"],
    ["TERM", 'TERM="$BAD" NSRUN run -- env', "TERM: the value is not valid UTF-8: TERM=x\\xff"],
  ] as const)
    test(`${what}: one line`, async () => {
      expect(await script(text)).toEqual(refused(words));
    });
  test("a file of variables, the working directory: one line", async () => {
    using dir = temporary();
    writeFileSync(dir.file("env"), Buffer.from("A=\xff\n", "latin1"));
    const file = dir.file("env");
    expect(await script(`NSRUN run --env-file ${file} -- env`)).toEqual(refused(`--env-file ${file}: not valid UTF-8`));
    const place = `mkdir "$BAD" && cd "$BAD" &&`;
    expect(await script(`${place} NSRUN run -v .:/v -- true`, dir.path)).toEqual(
      refused(`the working directory's name is not valid UTF-8: ${dir.path}/x\\xff\nhint: name absolute paths`),
    );
    expect(await script(`cd "$BAD" && NSRUN run -- echo works`, dir.path)).toEqual({ code: 0, stdout: "works\n", stderr: "" });
  });
});

describe.skipIf(reason !== undefined)("the character U+FFFD", () => {
  test("is passed on: argument, variables, file, volume, working directory", async () => {
    using dir = temporary();
    const place = dir.file("v\uFFFD");
    mkdirSync(place);
    writeFileSync(`${place}/file`, "C=\uFFFD\n");
    const look = 'printf "%s%s%s%s" "$0" "$A" "$B" "$C"; ls /v /w';
    const options = ["-e", "A", "-e", "B=\uFFFD", "--env-file", `${place}/file`, "-v", ".:/v", "-v", `${place}:/w`];
    expect(await nsrun([...options, "--", "sh", "-c", look, "\uFFFD"], { cwd: place, env: { A: "\uFFFD" } })).toEqual({
      code: 0,
      stdout: "\uFFFD\uFFFD\uFFFD\uFFFD/v:\nfile\n\n/w:\nfile\n",
      stderr: "",
    });
  });
});
