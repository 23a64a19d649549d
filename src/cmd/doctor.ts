/** `nsrun doctor`: what works on this machine, for this user. */
import { type Diagnosis, diagnose, type Result } from "../doctor/doctor.ts";
import { colours, print, screen } from "./print.ts";

type Colours = Awaited<ReturnType<typeof colours>>;

const NAME_WIDTH = 31;

/** `✓ overlay        detail` or `✗ netem          what failed; lost: …; try: …` */
function line({ name, works, detail, lost, remedy, main }: Result, pc: Colours): string {
  const label = name.padEnd(NAME_WIDTH);
  if (works) return `  ${pc.green("✓")} ${label} ${pc.dim(detail ?? "")}`.trimEnd();
  const mark = works === null ? pc.dim("–") : main ? pc.red("✗") : pc.yellow("✗");
  const said = [detail, lost && `lost: ${lost}`, remedy && `try: ${pc.bold(remedy)}`];
  return `  ${mark} ${label} ${said.filter((text) => text).join("; ")}`;
}

function text({ results, works, root, took }: Diagnosis, pc: Colours): string {
  const areas = [...new Set(results.map(({ area }) => area))];
  const parts = areas.map((area) =>
    [pc.bold(area), ...results.filter((one) => one.area === area).map((one) => line(one, pc))].join("\n"),
  );
  const broken = results.filter((one) => one.main && one.works === false && one.area !== "container").map(({ name }) => name);
  const who = root ? "as root" : "without root";
  const verdict = works ? pc.green(`nsrun run works here, ${who}`) : pc.red(`nsrun run does not work here, ${who}`);
  const why = works || broken.length === 0 ? "" : `: ${broken.join(", ")}`;
  return `${parts.join("\n")}\n${verdict}${why} (${took} ms)\n`;
}

/** Prints the diagnosis; returns the exit code. */
export async function doctorCommand(options: { readonly json?: boolean }): Promise<number> {
  const diagnosis = await diagnose();
  await print(options.json ? `${JSON.stringify(diagnosis, null, 2)}\n` : text(diagnosis, await colours(screen().colour)));
  return diagnosis.works ? 0 : 1;
}
