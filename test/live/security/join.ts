/**
 * `join.ts OPTIONS DIR COMMAND…`: a container with DIR as the volume /v, COMMAND in it, and while that runs many commands that join; then
 * DIR/stop is made, upon which COMMAND is to end. Prints what COMMAND printed. OPTIONS is JSON.
 */
import { writeFileSync } from "node:fs";
import { container } from "../../../src/index.ts";

const [options = "{}", dir = "", ...command] = process.argv.slice(2);
/** Each is there for a millisecond: on a busy machine the attacker meets a few of them. */
const JOINS = 250;

await using box = await container({ ...JSON.parse(options), volume: [`${dir}:/v`] });
const attack = box.exec(command);
for (let i = 0; i < JOINS; i++) await box.exec(["/bin/true"]);
writeFileSync(`${dir}/stop`, "");
process.stdout.write((await attack).stdout);
