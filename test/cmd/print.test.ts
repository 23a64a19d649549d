/** Results go out by print() alone. */
import { expect, test } from "bun:test";

// What a pipe has not taken yet of process.stdout is lost by process.exit (all beyond 64 kB), and a reader that has gone is a
// stack trace; test/live/manners.test.ts shows that print() has neither.
test("nothing in src/cmd writes to process.stdout", async () => {
  const dir = `${import.meta.dir}/../../src/cmd`;
  const found: string[] = [];
  for await (const name of new Bun.Glob("*.ts").scan(dir)) {
    if (/process\.stdout(?=[.?,;)])|console\.log/.test(await Bun.file(`${dir}/${name}`).text())) found.push(name);
  }
  expect(found).toEqual([]);
});
