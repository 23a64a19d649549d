/** What the parent does between clone and go, as shell commands: id maps, the veth pair. `$pid` is the container. */
import { describe } from "../net/verb.ts";
import { print, word, written } from "./sh-words.ts";
import type { Step } from "./step.ts";

const words = (list: readonly (string | { slot: string })[]): string =>
  list.map((w) => (typeof w === "string" ? word(w) : '"$pid"')).join(" ");

/** What the parent does while the container waits; `$pid` is the container. */
export function betweenLines(steps: readonly Step[]): string[] {
  let file = "";
  return steps.flatMap((step) => {
    if ("programs" in step) return step.programs.map(words);
    if ("verb" in step) {
      const whole =
        step.peerIn !== undefined && step.verb.verb === "link add veth"
          ? { ...step.verb, peer: { ...step.verb.peer, netns: 0 } }
          : step.verb;
      const enter = step.side === "container" ? 'nsenter --target "$pid" --net ' : "";
      return describe(whole, '"$pid"')
        .split(" && ")
        .map((command) => enter + command);
    }
    if (!("call" in step)) return [];
    const path = step.args[1];
    if (step.call === "openat" && typeof path === "object" && path !== null && "template" in path) {
      file = path.template.map((part) => (typeof part === "string" ? part : '"$pid"')).join("");
    }
    return step.call === "write" ? [`${print(written(step))} >${file}`] : [];
  });
}
