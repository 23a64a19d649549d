/**
 * The long form of test/live/hostile-race.test.ts: `bun test/soak/races.ts [STARTS]`, 2000 by default for each race and recipe.
 * Prints a table; ends with 1 when the host was changed, something was mounted elsewhere, or an error was none of those known.
 */
import { HostilePlace, RECIPES } from "../live/hostile/place.ts";
import { RACE_ERRORS, RACES, race } from "../live/hostile/race.ts";

const starts = Number(process.argv[2] ?? 2000);
let wrong = 0;
for (const recipe of RECIPES) {
  for (const one of RACES) {
    using place = new HostilePlace();
    const { outcomes, mounts, untouched, slowest, results } = await race(place, one, starts, recipe);
    const containers = results.filter(({ error }) => error === undefined).length;
    const errors = [...outcomes].filter(([key]) => !key.startsWith("container"));
    const bad =
      !untouched || errors.some(([key]) => !RACE_ERRORS.includes(key)) || [...mounts].some((path) => !one.places.test(path));
    if (bad) wrong++;
    const told = errors.map(([key, count]) => `${key} ${count}`).join(", ");
    console.log(
      `| ${one.name} | ${recipe || "detached"} | ${containers} | ${told} | ${slowest.toFixed(0)} ms | ${bad ? "WRONG" : "unchanged"} |`,
    );
  }
}
process.exit(wrong > 0 ? 1 : 0);
