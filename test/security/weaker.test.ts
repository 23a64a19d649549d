/** The negative controls' table against the sources: a row whose text has changed is found here first, without root or a kernel. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { type Edit, WEAKER } from "../live/security/weaker.ts";

const SOURCES = new URL("../../src/", import.meta.url).pathname;

test("each row's text is in the sources, once, and its control is another one", () => {
  for (const [row, edits] of Object.entries(WEAKER) as [string, readonly Edit[]][])
    for (const [file, find, replace] of edits) {
      const times = readFileSync(SOURCES + file, "utf8").split(find).length - 1;
      expect({ row, file, times, changed: find !== replace }).toEqual({ row, file, times: 1, changed: true });
    }
});
